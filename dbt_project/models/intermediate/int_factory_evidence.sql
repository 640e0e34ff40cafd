-- Decayed evidence of a factory in a category, or a craft, as of a day: n observations, their sum, sum of squares;
-- seen: undecayed. Where what happens on one day has one cause, a day's n tell as much as n / (1 + n / most_a_day)
-- (design effect of a cluster). The rate stays one of sums, not a mean of days: what is spoilt at cutting is inspected
-- days later.
with weighted as (
    select
        e.*,
        d.as_of,
        {{ decay('e.day', 'd.as_of', 'm.half_life_days') }} as weight,
        1 / (1 + coalesce(e.n / m.most_a_day, 0)) as told
    from {{ ref('int_factory_events') }} as e
    inner join {{ measures() }} as m (measure, prior, weight, half_life_days, most_a_day) on e.measure = m.measure
    inner join {{ ref('int_score_days') }} as d on e.day < d.as_of
)

select
    factory_id,
    category,
    craft,
    as_of,
    measure,
    sum(n * weight * told) as n,
    sum(x * weight) * sum(n * weight * told) / nullif(sum(n * weight), 0) as x,
    sum(xx * weight) * sum(n * weight * told) / nullif(sum(n * weight), 0) as xx,
    sum(n) as seen
from weighted
group by factory_id, category, craft, as_of, measure
