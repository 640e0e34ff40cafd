-- A factory's score in a category, the band that it is in, what the band allows, and why. Bands are held (hysteresis):
-- one good or bad day at a border changes nothing.
{% set terms = "('price', 'machines', 'audit', 'certificates')" %}

with by_day as (
    select
        factory_id,
        category,
        as_of,
        sum(points) as score,
        100 * sum(points) filter (where component in {{ terms }})
        / sum(100 * weight) filter (where component in {{ terms }}) as static_score,
        100 * sum(points) filter (where component not in {{ terms }})
        / sum(100 * weight) filter (where component not in {{ terms }}) as dynamic_score,
        string_agg(
            format(
                '{} {:.1f} ({}{})', component, 100 * weight - points, words, coalesce(format(', {:.0f} seen', seen), '')
            ),
            '; ' order by 100 * weight - points desc
        ) filter (where 100 * weight - points >= 2) as losses
    from {{ ref('int_factory_components') }}
    group by factory_id, category, as_of
),

held as (
    select
        factory_id,
        category,
        list(score order by as_of) as scores,
        max_by(score, as_of) as score,
        max_by(static_score, as_of) as static_score,
        max_by(dynamic_score, as_of) as dynamic_score,
        max_by(losses, as_of) as losses
    from by_day
    group by factory_id, category
),

rates as (
    select
        factory_id,
        category,
        {%- for measure in var('evidence') %}
            max(rate) filter (where measure = '{{ measure }}') as {{ measure }},
            max(seen) filter (where measure = '{{ measure }}') as {{ measure }}_seen,
        {%- endfor %}
        max(rate - 1.2816 * sd) filter (where measure = 'yield') as yield_q10,
        max(exp(rate)) filter (where measure = 'lead_ratio') as lead_ratio_q50,
        max(exp(rate + 1.2816 * sd)) filter (where measure = 'lead_ratio') as lead_ratio_q90
    from {{ ref('int_factory_rates') }}
    where craft is null and as_of = {{ business_date() }}
    group by factory_id, category
),

records as (
    select
        r.*,
        f.on_time_seen as settled,
        f.on_time_seen < {{ var('trial_job_orders') }}
        and avg((f.on_time_seen >= {{ var('trial_job_orders') }})::integer) over (partition by r.category) >= 0.5
            as is_trial
    from rates as r
    inner join rates as f on r.factory_id = f.factory_id and f.category is null
    where r.category is not null
),

banded as (
    select
        r.*,
        h.score,
        h.static_score,
        h.dynamic_score,
        h.losses,
        case when not r.is_trial then {{ held_rank('h.scores') }} end as rank
    from held as h
    inner join records as r on h.factory_id = r.factory_id and h.category = r.category
)

select
    b.factory_id,
    b.category,
    b.score::double as score,
    b.static_score::double as static_score,
    b.dynamic_score::double as dynamic_score,
    p.band,
    p.order_cap_pieces,
    p.exposure_share,
    p.inspection_share,
    case
        when b.is_trial
            then format('trial: {:.0f} of {} job orders settled', b.settled, {{ var('trial_job_orders') }})
        else
            format('{} at {:.0f} of 100', p.band, b.score)
            || case b.rank - {{ band_rank('b.score') }} when 0 then '' else ', held within the margin of its border' end
    end || coalesce('; loses ' || b.losses, '') as reason,
    b.yield_seen::bigint as pieces,
    b.on_time_seen::bigint as job_orders,
    b.yield::double as yield_rate,
    b.yield_q10::double as yield_q10,
    b.acceptance::double as acceptance_rate,
    b.small_acceptance::double as small_acceptance_rate,
    b.repeat_acceptance::double as repeat_acceptance_rate,
    b.answer_hours::double as answer_hours,
    b.on_time::double as on_time_rate,
    b.lead_ratio_q50::double as lead_ratio_q50,
    b.lead_ratio_q90::double as lead_ratio_q90
from banded as b
inner join {{ bands() }} as p (band, rank, order_cap_pieces, exposure_share, inspection_share)
    on b.rank is not distinct from p.rank
