-- What happened at a factory in a category on a day, one row a measure: observations, their sum and sum of squares.
-- Rows of a craft (category null) tell the same by the crafts of the routing: a job order counts for each craft by its
-- share of the standard minutes. What an operation of a craft spoils is that craft's, what one without a craft finds,
-- as inspection does, is shared by the same shares. A job order is settled when it has ended or the day by which its
-- work had to end has passed; what is late failed on that day: the way from there is not the factory's.
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

settled as (
    select
        j.job_order_id,
        j.factory_id,
        j.category,
        j.settled_on as day,
        (j.is_on_time and sum(s.shipped) >= any_value(j.full_pieces))::integer as x
    from job_orders as j
    left join scanned as s on j.job_order_id = s.job_order_id
    where j.is_settled
    group by j.job_order_id, j.factory_id, j.category, j.settled_on, j.is_on_time
),

crafts as (
    select
        j.job_order_id,
        o.value ->> 'craft' as craft,
        sum((o.value ->> 'sam_minutes')::double) as minutes,
        minutes / nullif(sum(minutes) over (partition by j.job_order_id), 0) as share
    from {{ ref('int_job_orders') }} as j
    inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
    cross join lateral json_each(l.operations) as o
    where coalesce(j.stages, 1) = 1 or (o.value ->> 'stage')::integer = j.stage
    group by j.job_order_id, craft
),

spoilt as (
    select
        s.job_order_id,
        {{ local_date('s.slot') }} as day,
        l.operations ->> ('/' || s.operation || '/craft') as craft,
        sum(s.defects) as pieces
    from {{ ref('int_scan_slots') }} as s
    inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id
    inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
    where l.operations is not null
    group by s.job_order_id, day, craft
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
    select factory_id, category, day, 'on_time' as measure, 1 as n, x
    from settled
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
),

observed_of_crafts as (
    select s.factory_id, c.craft, s.day, 'on_time' as measure, c.share as n, c.share * s.x as x
    from settled as s
    inner join crafts as c on s.job_order_id = c.job_order_id
    where c.craft is not null
    union all
    select
        j.factory_id,
        c.craft,
        s.day,
        'yield' as measure,
        c.share * (coalesce(s.pieces, 0) + s.defects) as n,
        c.share * (coalesce(s.pieces, 0) + s.defects - coalesce(anybody.pieces, 0)) - coalesce(own.pieces, 0) as x
    from job_orders as j
    inner join scanned as s on j.job_order_id = s.job_order_id
    inner join crafts as c on j.job_order_id = c.job_order_id
    left join spoilt as own on s.job_order_id = own.job_order_id and s.day = own.day and c.craft = own.craft
    left join spoilt as anybody
        on s.job_order_id = anybody.job_order_id and s.day = anybody.day and anybody.craft is null
    where c.craft is not null
)

select
    factory_id,
    category,
    null::varchar as craft,
    day,
    measure,
    sum(n)::double as n,
    coalesce(sum(x), 0)::double as x,
    coalesce(sum(x * x), 0)::double as xx
from observed
where n > 0
group by factory_id, category, day, measure
union all
select
    factory_id,
    null as category,
    craft,
    day,
    measure,
    sum(n) as n,
    sum(x) as x,
    sum(x * x) as xx
from observed_of_crafts
where n > 0
group by factory_id, craft, day, measure
