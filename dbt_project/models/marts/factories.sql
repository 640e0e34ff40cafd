-- The feed's columns, and what the factory has shown in all its categories, decayed and shrunk.
with rates as (
    select
        factory_id,
        {%- for measure in var('evidence') %}
            max(rate) filter (where measure = '{{ measure }}') as {{ measure }},
        {%- endfor %}
        max(exp(rate + 1.2816 * sd)) filter (where measure = 'lead_ratio') as lead_ratio_q90,
        max(seen) filter (where measure = 'yield') as pieces
    from {{ ref('int_factory_rates') }}
    where category is null and craft is null and as_of = {{ business_date() }}
    group by factory_id
),

{# Mean over the next days of what is left of a deviation: m + m^2 + .. over their number. #}
{% set days = var('efficiency_days_ahead') %}
speed as (
    select
        *,
        level + deviation * {{ var('efficiency_memory') }}
        * (1 - pow({{ var('efficiency_memory') }}, {{ days }})) / (1 - {{ var('efficiency_memory') }}) / {{ days }}
            as factor
    from {{ ref('int_factory_efficiency') }}
    where as_of = {{ business_date() }}
)

select
    f.* replace (
        if(t.factory_id is null and not coalesce(f.onboarding in {{ var('without_work') }}, false), f.status, 'paused')
            as status
    ),
    t.same_place_as,
    t.by_what as same_place_by,
    r.yield::double as yield_rate,
    v.level::double as efficiency_level,
    v.level_sd::double as efficiency_level_sd,
    v.day_sd::double as efficiency_day_sd,
    v.deviation::double as efficiency_deviation,
    v.kept::double as efficiency_kept,
    r.acceptance::double as acceptance_rate,
    r.on_time::double as on_time_rate,
    r.answer_hours::double as answer_hours,
    r.lead_ratio_q90::double as lead_ratio_q90,
    r.pieces::bigint as pieces_scanned,
    m.by_rank::double as works_by_rank,
    m.by_arrival::double as works_by_arrival,
    m.by_size::double as works_by_size,
    greatest(v.factor, 0.2)::double as efficiency_factor,
    (v.level + v.deviation - 1.2816 * sqrt(
        pow(v.level_sd * (1 - v.kept), 2) + pow(v.day_sd, 2) * (1 - v.kept * v.kept)
    ))::double as efficiency_q10
from {{ ref('stg_factories') }} as f
inner join rates as r on f.factory_id = r.factory_id
inner join speed as v on f.factory_id = v.factory_id
left join {{ ref('int_factory_twins') }} as t on f.factory_id = t.factory_id
inner join {{ ref('int_factory_manners') }} as m on f.factory_id = m.factory_id and m.as_of = {{ business_date() }}
