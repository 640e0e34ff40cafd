-- What a factory can make, and what it has shown in it. A craft's figures are the factory's own and, added to them, by
-- how much its job orders with that craft lie apart from them, shrunk: sum of w (x - own) / (sum of w + weight of the
-- factory's own). So they are exactly the factory's own where nothing is known. This is the credibility of Buehlmann
-- and Straub (1970), the best linear unbiased prediction of a random effect (Robinson 1991). The efficiency's weight is
-- the one by which factories are shrunk, prior_efficiency_days; a day counts by the craft's share of its minutes.
with rates as (
    select
        factory_id,
        if(craft is null, 'category', 'craft') as kind,
        coalesce(craft, category) as name,
        max(rate) filter (where measure = 'yield') as yield_rate,
        max(rate) filter (where measure = 'on_time') as on_time_rate,
        max(seen) filter (where measure = 'yield') as pieces,
        max(seen) filter (where measure = 'on_time') as job_orders
    from {{ ref('int_factory_rates') }}
    where coalesce(craft, category) is not null and as_of = {{ business_date() }}
    group by factory_id, kind, name
),

days as (
    select
        s.factory_id,
        s.craft,
        s.planned_minutes / f.planned_minutes as share,
        share * {{ decay('s.day', 'e.as_of', var('efficiency_half_life_days')) }} as weight,
        s.earned_minutes / s.planned_minutes - e.level as apart
    from {{ ref('int_factory_speed') }} as s
    inner join {{ ref('int_factory_speed') }} as f on s.factory_id = f.factory_id and s.day = f.day and f.craft is null
    inner join {{ ref('int_factory_efficiency') }} as e on s.factory_id = e.factory_id and s.day < e.as_of
    where s.craft is not null and e.as_of = {{ business_date() }}
),

speed as (
    select
        factory_id,
        craft,
        sum(share) as busy_days,
        sum(weight * apart) / (sum(weight) + {{ var('prior_efficiency_days') }}) as apart
    from days
    group by factory_id, craft
)

select
    c.*,
    r.yield_rate::double as yield_rate,
    r.on_time_rate::double as on_time_rate,
    r.pieces::double as pieces,
    r.job_orders::double as job_orders,
    greatest(f.efficiency_factor + coalesce(s.apart, 0), 0.2)::double as efficiency_factor,
    coalesce(s.busy_days, 0)::double as busy_days
from {{ ref('stg_factory_capabilities') }} as c
left join {{ ref('factories') }} as f on c.factory_id = f.factory_id
left join rates as r on c.factory_id = r.factory_id and c.kind = r.kind and c.name = r.name
left join speed as s on c.factory_id = s.factory_id and c.kind = 'craft' and c.name = s.craft
