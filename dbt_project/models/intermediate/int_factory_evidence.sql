-- Decayed evidence of a factory in a category as of a day: n observations, their sum, sum of squares; seen: undecayed.
select
    e.factory_id,
    e.category,
    d.as_of,
    e.measure,
    sum(e.n * {{ decay('e.day', 'd.as_of', 'm.half_life_days') }}) as n,
    sum(e.x * {{ decay('e.day', 'd.as_of', 'm.half_life_days') }}) as x,
    sum(e.xx * {{ decay('e.day', 'd.as_of', 'm.half_life_days') }}) as xx,
    sum(e.n) as seen
from {{ ref('int_factory_events') }} as e
inner join {{ measures() }} as m (measure, prior, weight, half_life_days) on e.measure = m.measure
inner join {{ ref('int_score_days') }} as d on e.day < d.as_of
group by e.factory_id, e.category, d.as_of, e.measure
