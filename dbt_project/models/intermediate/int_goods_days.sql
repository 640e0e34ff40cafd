{{ config(materialized='table') }}
-- Where the pieces of a job order are at the end of each day on which that changes: sums from its first day on.
-- A merchant sends receipts from its first one on. What was promised to arrive before that day is assumed to have
-- arrived then, as far as no receipt accounts for it; what was promised later arrives by receipt, or is lost.
-- What arrived must have left and been made: pieces that no scan tells of are `unscanned`.
with receipts as (
    select
        r.merchant_id,
        r.job_order_id,
        r.sku_id,
        r.quantity,
        r.lost_quantity,
        {{ local_date('r.received_at') }} as day
    from {{ ref('int_receipts') }} as r
    where r.job_order_id is not null
),

first_receipts as (
    select merchant_id, min(day) as since
    from receipts
    group by merchant_id
),

shipments as (
    select s.*, s.arrives_on < coalesce(f.since, date 'infinity') as is_assumed
    from {{ ref('int_shipments') }} as s
    left join first_receipts as f on s.merchant_id = f.merchant_id
),

events as (
    select
        s.job_order_id,
        s.sku_id,
        {{ local_date('s.slot') }} as day,
        'made' as kind,
        s.pieces
    from {{ ref('int_scan_slots') }} as s
    inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
    where s.operation = 'inspect' and j.stage = j.stages
    union all
    select job_order_id, sku_id, shipped_on as day, 'shipped' as kind, quantity as pieces from shipments
    union all
    select job_order_id, sku_id, shipped_on as day, 'surplus' as kind, surplus as pieces from shipments
    union all
    select job_order_id, sku_id, arrives_on as day, 'assumed' as kind, quantity as pieces from shipments
    where is_assumed and arrives_on < {{ business_date() }}
    union all
    select job_order_id, sku_id, arrives_on + {{ var('lost_after_days') }} as day, 'overdue' as kind, quantity as pieces
    from shipments
    where not is_assumed and arrives_on + {{ var('lost_after_days') }} < {{ business_date() }}
    union all
    select job_order_id, sku_id, day, 'received' as kind, quantity as pieces from receipts
    union all
    select job_order_id, sku_id, day, 'lost' as kind, lost_quantity as pieces from receipts
),

days as (
    select
        job_order_id,
        sku_id,
        day,
        coalesce(sum(pieces) filter (where kind = 'made'), 0) as made,
        coalesce(sum(pieces) filter (where kind = 'shipped'), 0) as shipped,
        coalesce(sum(pieces) filter (where kind = 'surplus'), 0) as surplus,
        coalesce(sum(pieces) filter (where kind = 'assumed'), 0) as assumed,
        coalesce(sum(pieces) filter (where kind = 'overdue'), 0) as overdue,
        coalesce(sum(pieces) filter (where kind = 'received'), 0) as received,
        coalesce(sum(pieces) filter (where kind = 'lost'), 0) as lost
    from events
    group by job_order_id, sku_id, day
),

running as (
    select
        job_order_id,
        sku_id,
        day,
        sum(made) over so_far as made,
        sum(shipped) over so_far as shipped,
        sum(surplus) over so_far as surplus,
        sum(assumed) over so_far as assumed,
        sum(overdue) over so_far as overdue,
        sum(received) over so_far as received,
        sum(lost) over so_far as lost
    from days
    window so_far as (partition by job_order_id, sku_id order by day)
),

accounted as (
    select
        job_order_id,
        sku_id,
        day,
        made,
        shipped,
        surplus,
        received as told,
        least(assumed, greatest(shipped - received - lost, 0)) as assumed,
        lost + greatest(overdue - received - lost, 0) as lost
    from running
),

moved as (
    select
        *,
        told + assumed as received,
        greatest(shipped, told + assumed + lost) as moved
    from accounted
)

select
    j.merchant_id,
    o.source,
    j.order_id,
    j.lot_id,
    m.job_order_id,
    j.factory_id,
    m.sku_id,
    m.day,
    cast(m.made as bigint) as made,
    cast(greatest(m.moved + m.surplus - m.made, 0) as bigint) as unscanned,
    cast(greatest(m.made - m.moved - m.surplus, 0) as bigint) as at_factory,
    cast(m.moved - m.received - m.lost as bigint) as in_transit,
    cast(m.received as bigint) as received,
    cast(m.assumed as bigint) as assumed,
    cast(m.lost as bigint) as lost,
    cast(m.surplus as bigint) as surplus
from moved as m
inner join {{ ref('int_job_orders') }} as j on m.job_order_id = j.job_order_id
inner join {{ ref('stg_ledger_orders') }} as o on j.order_id = o.order_id
-- what is overdue changes nothing where all of it has come
qualify
    row(m.made, m.moved, m.received, m.assumed, m.lost, m.surplus) is distinct from
    lag(row(m.made, m.moved, m.received, m.assumed, m.lost, m.surplus))
        over (partition by m.job_order_id, m.sku_id order by m.day)
