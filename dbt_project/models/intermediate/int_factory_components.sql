{{ config(materialized='table') }}

-- The components of a factory's score in a category as of a day: value 0 to 1, weight in the category's profile, points
-- of 100, observations behind it (null where it is a term, not a record), and what was found in words. Bad batches take
-- points away, and have no weight: a factory without one has no such row.
with rates as (
    select
        factory_id,
        category,
        as_of,
        {%- for measure in var('evidence') %}
            max(rate) filter (where measure = '{{ measure }}') as {{ measure }},
            max(seen) filter (where measure = '{{ measure }}') as {{ measure }}_seen,
        {%- endfor %}
        max(100 * exp(rate + 1.2816 * sd)) filter (where measure = 'lead_ratio') as lead_ratio_q90_percent
    from {{ ref('int_factory_rates') }}
    where category is not null
    group by factory_id, category, as_of
),

terms as (
    select
        c.factory_id,
        c.name as category,
        f.lines,
        coalesce(f.audit_score, {{ var('prior_audit') }}) as audit,
        coalesce(len(string_split(nullif(f.certificates, ''), ';')), 0) as certificates,
        f.minute_cost / c.efficiency as cost,
        median(f.minute_cost / c.efficiency) over (partition by c.name) as usual_cost
    from {{ ref('stg_factory_capabilities') }} as c
    inner join {{ ref('stg_factories') }} as f on c.factory_id = f.factory_id
    where c.kind = 'category'
),

speed as (
    select factory_id, as_of, days, level + deviation as efficiency
    from {{ ref('int_factory_efficiency') }}
),

rated as (
    select distinct factory_id, category from rates
)

select
    r.factory_id,
    r.category,
    r.as_of,
    v.component,
    w.weight,
    v.seen,
    v.words,
    greatest(0, least(1, v.value)) as value,
    100 * w.weight * greatest(0, least(1, v.value)) as points
from rates as r
inner join terms as t on r.factory_id = t.factory_id and r.category = t.category
inner join speed as e on r.factory_id = e.factory_id and r.as_of = e.as_of
inner join {{ ref('int_factory_manners') }} as m on r.factory_id = m.factory_id and r.as_of = m.as_of
cross join
    lateral (
        values
        ('on_time', 2 * r.on_time - 1, r.on_time_seen, format('{:.0f} % on time and in full', 100 * r.on_time)),
        ('quality', 1 - (1 - r.yield) / 0.08, r.yield_seen, format('{:.1f} % defects', 100 * (1 - r.yield))),
        (
            'small', r.small_acceptance, r.small_acceptance_seen,
            format('takes {:.0f} % of small orders', 100 * r.small_acceptance)
        ),
        (
            'repeat', r.repeat_acceptance, r.repeat_acceptance_seen,
            format('takes {:.0f} % of repeat orders', 100 * r.repeat_acceptance)
        ),
        ('response', 1 - r.answer_hours / 12, r.answer_hours_seen, format('answers in {:.1f} hours', r.answer_hours)),
        (
            'lead_time', 2 - r.lead_ratio_q90_percent / 100, r.lead_ratio_seen,
            format('9 of 10 orders within {:.0f} % of the planned days', r.lead_ratio_q90_percent)
        ),
        ('efficiency', 2 * e.efficiency - 1, e.days, format('{:.0f} % of the planned efficiency', 100 * e.efficiency)),
        (
            'rank', m.by_rank, m.seen,
            case greatest(m.by_rank, m.by_arrival, m.by_size)
                when m.by_rank then format('{:.0f} % sure to keep to the rank', 100 * m.by_rank)
                when m.by_arrival then format('{:.0f} % sure to work first come, first served', 100 * m.by_arrival)
                else format('{:.0f} % sure to take the largest first', 100 * m.by_size)
            end
        ),
        (
            'price', 1.5 - t.cost / t.usual_cost, null,
            format('{:.0f} % of the usual cost of a standard minute', 100 * t.cost / t.usual_cost)
        ),
        ('machines', ln(1 + t.lines) / ln(51), null, format('{} lines', t.lines)),
        ('audit', t.audit, null, format('audit {:.2f} of 1', t.audit)),
        (
            'certificates',
            t.certificates / {{ var('certificates_counted') }},
            null,
            format('{} certificates', t.certificates)
        )
    ) as v (component, value, seen, words)
inner join {{ score_weights() }} as w (profile, component, weight)
    on v.component = w.component and w.profile = {{ score_profile('r.category') }}
union all
select
    b.factory_id,
    c.category,
    d.as_of,
    'batches' as component,
    0 as weight,
    count(*) as seen,
    format(
        'bad batch {}: {:.0f} complaints of {} pieces, {:.1f} expected',
        max_by(b.job_order_id, b.evidence), max_by(b.complaints, b.evidence), max_by(b.sold, b.evidence)::bigint,
        max_by(b.expected, b.evidence)
    ) as words,
    0 as value,
    -{{ var('complaints').points }}
    * max({{ decay('b.first_sold_on', 'd.as_of', var('complaints').half_life_days) }}) as points
from {{ ref('int_score_days') }} as d
inner join {{ ref('int_batch_days') }} as b on d.as_of = b.as_of
inner join rated as c on b.factory_id = c.factory_id
where
    b.complaints >= {{ var('complaints').least }}
    and b.evidence >= -ln({{ var('complaints').false_alarms }})
group by b.factory_id, c.category, d.as_of
