-- Efficiency of a factory (earned over planned) as of a day: its level, how sure it is, where its days stand about it.
-- Days about the level remember the day before (memory per working day). A day tells of the level what the day before
-- did not: y - m^g y' = (1 - m^g) level + noise of variance sd^2 (1 - m^2g), g working days apart. So its level is the
-- generalised least squares of an autoregressive process, decayed, shrunk to the prior; in closed sums. What decayed
-- days know together is not their weights' sum: of a mean with weights w, the information is sum(w)^2 / sum(w^2).
{% set memory = var('efficiency_memory') %}

with working_days as (
    select factory_id, day, row_number() over (partition by factory_id order by day) as number
    from {{ ref('stg_factory_calendar') }}
    where minutes > 0
),

numbered as (
    select s.factory_id, s.day, w.number, s.earned_minutes / s.planned_minutes as ratio
    from {{ ref('int_factory_speed') }} as s
    inner join working_days as w on s.factory_id = w.factory_id and s.day = w.day
    where s.craft is null
),

remembered as (
    select
        factory_id,
        day,
        number,
        ratio,
        coalesce(pow({{ memory }}, number - lag(number) over by_day), 0) as kept,
        coalesce(lag(ratio) over by_day, 0) as ratio_before
    from numbered
    window by_day as (partition by factory_id order by day)
),

weighted as (
    select
        r.*,
        d.as_of,
        {{ decay('r.day', 'd.as_of', var('efficiency_half_life_days')) }} as weight,
        r.ratio - r.kept * r.ratio_before as told,
        1 - r.kept * r.kept as noise
    from remembered as r
    inner join {{ ref('int_score_days') }} as d on r.day < d.as_of
),

sums as (
    select
        factory_id,
        as_of,
        sum(weight) as n,
        sum(weight * pow(1 - kept, 2) / noise) as a,
        pow(sum(weight * pow(1 - kept, 2) / noise), 2) / sum(pow(weight * (1 - kept), 2) / noise) as information,
        sum(weight * told * (1 - kept) / noise) as b,
        sum(weight * told * told / noise) as c,
        max_by(ratio, day) as last_ratio,
        max(number) as last_number,
        count(*) as days
    from weighted
    group by factory_id, as_of
),

levels as (
    select
        f.factory_id,
        d.as_of,
        coalesce(s.information, 0) as information,
        {{ shrunk(
            's.b / s.a * s.information', 's.information', var('prior_efficiency'), var('prior_efficiency_days')
        ) }} as level,
        coalesce(s.n, 0) as n,
        coalesce(s.a, 0) as a,
        coalesce(s.b, 0) as b,
        coalesce(s.c, 0) as c,
        coalesce(s.last_ratio, 0) as last_ratio,
        coalesce(pow({{ memory }}, count(w.number) filter (where w.number > s.last_number)), 0) as kept,
        coalesce(s.days, 0) as days
    from {{ ref('stg_factories') }} as f
    cross join {{ ref('int_score_days') }} as d
    left join sums as s on f.factory_id = s.factory_id and d.as_of = s.as_of
    left join working_days as w on f.factory_id = w.factory_id and d.as_of > w.day
    group by f.factory_id, d.as_of, s.n, s.a, s.information, s.b, s.c, s.last_ratio, s.last_number, s.days
),

spread as (
    select
        *,
        sqrt(
            (
                c
                - 2 * level * b
                + level * level * a
                + {{ var('prior_efficiency_days') }} * pow({{ var('prior_efficiency_day_sd') }}, 2)
            )
            / (n + {{ var('prior_efficiency_days') }})
        ) as day_sd
    from levels
)

select
    factory_id,
    as_of,
    level,
    day_sd / sqrt(information + {{ var('prior_efficiency_days') }}) as level_sd,
    day_sd,
    case when days > 0 then (last_ratio - level) * kept else 0 end as deviation,
    case when days > 0 then kept else 0 end as kept,
    days
from spread
