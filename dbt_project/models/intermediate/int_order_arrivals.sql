-- When an order arrived: the day on which each of its lots has its pieces, less the tolerance, at the destination. A
-- shipment arrives the days in transit after the day, in the factory's zone, of its last scan at `ship`.
with transit as (
    select order_id, factory_id, max(transit_days) as days
    from {{ ref('stg_ledger_promise_factories') }}
    group by order_id, factory_id
),

shipments as (
    select
        j.lot_id,
        cast({{ wall_clock('p.last_scan_at', 'f.timezone') }} as date) + coalesce(t.days, 0) as arrived_on,
        sum(p.pieces) as pieces
    from {{ ref('int_job_order_pieces') }} as p
    inner join {{ ref('int_job_orders') }} as j on p.job_order_id = j.job_order_id and p.factory_id = j.factory_id
    inner join {{ ref('stg_factories') }} as f on p.factory_id = f.factory_id
    left join transit as t on j.order_id = t.order_id and p.factory_id = t.factory_id
    where p.operation = 'ship'
    group by j.lot_id, arrived_on
),

reached as (
    select lot_id, arrived_on, sum(pieces) over (partition by lot_id order by arrived_on) as pieces
    from shipments
),

lots as (
    select
        l.lot_id,
        l.order_id,
        l.quantity,
        min(r.arrived_on) filter (where r.pieces >= l.quantity * (1 - coalesce(o.tolerance_share, 0))) as arrived_on
    from {{ ref('stg_ledger_lots') }} as l
    inner join {{ ref('stg_ledger_orders') }} as o on l.order_id = o.order_id
    left join reached as r on l.lot_id = r.lot_id
    where l.state != 'cancelled'
    group by l.lot_id, l.order_id, l.quantity
)

select
    order_id,
    sum(quantity) as pieces,
    case when count(*) = count(arrived_on) then max(arrived_on) end as arrived_on
from lots
group by order_id
