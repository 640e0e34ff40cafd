-- Rates of each factory as of a day, per category, per craft (on the business date) and, where both are null, in all.
-- Those of a category or craft are shrunk to those of the factory, these to the platform's, these to the priors. sd: of
-- a job order's lead ratio (logarithm); else how sure the rate is.
with platform as (
    select
        d.as_of,
        m.measure,
        m.weight,
        {{ shrunk('sum(e.x)', 'sum(e.n)', 'any_value(m.prior)', 'any_value(m.weight)') }} as rate
    from {{ measures() }} as m (measure, prior, weight, half_life_days, most_a_day)
    cross join {{ ref('int_score_days') }} as d
    left join {{ ref('int_factory_evidence') }} as e on m.measure = e.measure and d.as_of = e.as_of and e.craft is null
    group by d.as_of, m.measure, m.weight
),

in_all as (
    select
        f.factory_id,
        p.as_of,
        p.measure,
        p.weight,
        {{ shrunk('sum(e.x)', 'sum(e.n)', 'any_value(p.rate)', 'any_value(p.weight)') }} as rate,
        coalesce(sum(e.x), 0) as x,
        coalesce(sum(e.xx), 0) as xx,
        coalesce(sum(e.n), 0) as n,
        coalesce(sum(e.seen), 0) as seen
    from {{ ref('stg_factories') }} as f
    cross join platform as p
    left join {{ ref('int_factory_evidence') }} as e
        on f.factory_id = e.factory_id and p.as_of = e.as_of and p.measure = e.measure and e.craft is null
    group by f.factory_id, p.as_of, p.measure, p.weight
),

spread as (
    select
        *,
        (xx - 2 * rate * x + rate * rate * n + weight * pow({{ var('prior_lead_ratio_log_sd') }}, 2)) / (n + weight)
            as variance
    from in_all
),

shrunken as (
    select
        factory_id,
        null::varchar as category,
        null::varchar as craft,
        as_of,
        measure,
        weight,
        rate,
        n,
        seen,
        variance
    from spread
    union all
    select
        s.factory_id,
        c.name as category,
        null as craft,
        s.as_of,
        s.measure,
        s.weight,
        {{ shrunk('e.x', 'e.n', 's.rate', 's.weight') }} as rate,
        coalesce(e.n, 0) as n,
        coalesce(e.seen, 0) as seen,
        s.variance
    from spread as s
    inner join {{ ref('stg_factory_capabilities') }} as c on s.factory_id = c.factory_id and c.kind = 'category'
    left join {{ ref('int_factory_evidence') }} as e
        on s.factory_id = e.factory_id and c.name = e.category and s.as_of = e.as_of and s.measure = e.measure
    union all
    -- As a difference: without evidence exactly the factory's own.
    select
        s.factory_id,
        null as category,
        c.name as craft,
        s.as_of,
        s.measure,
        s.weight,
        s.rate + coalesce(e.x - s.rate * e.n, 0) / (coalesce(e.n, 0) + s.weight) as rate,
        coalesce(e.n, 0) as n,
        coalesce(e.seen, 0) as seen,
        s.variance
    from spread as s
    inner join {{ ref('stg_factory_capabilities') }} as c on s.factory_id = c.factory_id and c.kind = 'craft'
    left join {{ ref('int_factory_evidence') }} as e
        on s.factory_id = e.factory_id and c.name = e.craft and s.as_of = e.as_of and s.measure = e.measure
    where s.measure in ('on_time', 'yield') and s.as_of = {{ business_date() }}
)

select
    factory_id,
    category,
    craft,
    as_of,
    measure,
    rate,
    n,
    seen,
    sqrt(
        case measure
            when 'lead_ratio' then variance
            when 'answer_hours' then null
            else greatest(rate * (1 - rate), 0) / (n + weight + 1)
        end
    ) as sd
from shrunken
