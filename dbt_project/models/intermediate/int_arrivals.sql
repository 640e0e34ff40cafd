-- Pieces by lot and the day on which they arrived or, while they are not due yet, will: received, assumed, or on their
-- way. The last of what is under way is what left last.
with received as (
    select
        lot_id,
        day,
        received - lag(received, 1, 0) over (partition by job_order_id, sku_id order by day) as pieces
    from {{ ref('int_goods_days') }}
),

coming as (
    select
        s.lot_id,
        s.arrives_on,
        s.quantity,
        g.in_transit,
        sum(s.quantity) over (
            partition by s.job_order_id, s.sku_id order by s.arrives_on desc, s.scanned_at desc rows unbounded preceding
        ) as pieces
    from {{ ref('int_shipments') }} as s
    inner join {{ ref('goods') }} as g on s.job_order_id = g.job_order_id and s.sku_id = g.sku_id
    where s.arrives_on >= {{ business_date() }}
)

select lot_id, day as arrived_on, pieces
from received
where pieces != 0
union all
select lot_id, arrives_on as arrived_on, greatest(least(quantity, in_transit - (pieces - quantity)), 0) as pieces
from coming
where in_transit > pieces - quantity
