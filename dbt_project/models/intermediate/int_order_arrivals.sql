-- When an order arrived: the day on which each of its lots has its pieces, less the tolerance, at the destination.
with shipments as (
    select lot_id, arrived_on, sum(pieces) as pieces
    from {{ ref('int_arrivals') }}
    group by lot_id, arrived_on
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
