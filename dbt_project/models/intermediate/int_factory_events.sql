-- What happened at a factory in a category on a day, one row a measure: observations, their sum and sum of squares.
-- A job order is settled when it has ended or the day by which its work had to end has passed; what is late failed on
-- that day: the way from there is not the factory's.
with scanned as (
    select
        s.job_order_id,
        {{ local_date('s.slot') }} as day,
        sum(s.pieces) filter (where s.operation = 'inspect') as pieces,
        sum(s.defects) as defects,
        sum(s.pieces) filter (where s.operation = 'ship') as shipped
    from {{ ref('int_scan_slots') }} as s
    group by s.job_order_id, day
),

job_orders as (
    select
        j.factory_id,
        l.category,
        j.job_order_id,
        coalesce(j.accepted, false) as accepted,
        j.quantity <= {{ var('small_order_pieces') }} as is_small,
        o.parent_order_id is not null as is_repeat,
        j.answered_at is not null or j.state in ('Refused', 'Expired') as is_decided,
        {{ local_date('coalesce(j.answered_at, j.changed_at)') }} as decided_on,
        {{ local_date('j.answered_at') }} as answered_on,
        date_diff('minute', j.released_at, j.answered_at) / 60 as answer_hours,
        coalesce(j.accepted, false) and (j.ended_at is not null or j.ends_by < {{ business_date() }}) as is_settled,
        least({{ local_date('j.ended_at') }}, j.ends_by) as settled_on,
        j.state = 'Ended' and {{ local_date('j.ended_at') }} <= j.ends_by as is_on_time,
        j.quantity * (1 - coalesce(o.tolerance_share, 0)) as full_pieces,
        j.state = 'Ended' as is_made,
        {{ local_date('j.ended_at') }} as ended_on,
        greatest(date_diff('day', j.start_on, {{ local_date('j.ended_at') }}), 0) + 1 as lead_days,
        greatest(date_diff('day', j.start_on, j.ends_by), 0) + 1 as planned_lead_days
    from {{ ref('int_job_orders') }} as j
    inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
    left join {{ ref('stg_ledger_orders') }} as o on j.order_id = o.order_id
    where j.state != 'Cancelled'
),

shipped as (
    select job_order_id, sum(shipped) as pieces
    from scanned
    group by job_order_id
),

observed as (
    select factory_id, category, decided_on as day, 'acceptance' as measure, 1 as n, accepted::integer as x
    from job_orders
    where is_decided
    union all
    select factory_id, category, decided_on as day, 'small_acceptance' as measure, 1 as n, accepted::integer as x
    from job_orders
    where is_decided and is_small
    union all
    select factory_id, category, decided_on as day, 'repeat_acceptance' as measure, 1 as n, accepted::integer as x
    from job_orders
    where is_decided and is_repeat
    union all
    select factory_id, category, answered_on as day, 'answer_hours' as measure, 1 as n, answer_hours as x
    from job_orders
    where answered_on is not null
    union all
    select
        j.factory_id,
        j.category,
        j.settled_on as day,
        'on_time' as measure,
        1 as n,
        (j.is_on_time and s.pieces >= j.full_pieces)::integer as x
    from job_orders as j
    left join shipped as s on j.job_order_id = s.job_order_id
    where j.is_settled
    union all
    select
        factory_id, category, ended_on as day, 'lead_ratio' as measure, 1 as n, ln(lead_days / planned_lead_days) as x
    from job_orders
    where is_made
    union all
    select
        j.factory_id,
        j.category,
        s.day,
        'yield' as measure,
        coalesce(s.pieces, 0) + s.defects as n,
        coalesce(s.pieces, 0) as x
    from job_orders as j
    inner join scanned as s on j.job_order_id = s.job_order_id
)

select
    factory_id,
    category,
    day,
    measure,
    sum(n)::double as n,
    coalesce(sum(x), 0)::double as x,
    coalesce(sum(x * x), 0)::double as xx
from observed
where n > 0
group by factory_id, category, day, measure
