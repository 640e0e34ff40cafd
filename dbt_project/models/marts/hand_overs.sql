-- Pieces between two stages of a lot: what left for a factory, and what that factory has received on its job orders.
with left_for as (
    select
        j.order_id,
        j.lot_id,
        j.merchant_id,
        j.next_factory_id as factory_id,
        p.sku_id,
        j.stage + 1 as stage,
        sum(p.pieces) as pieces,
        max(p.last_scan_at) as last_at
    from {{ ref('int_job_order_pieces') }} as p
    inner join {{ ref('int_job_orders') }} as j on p.job_order_id = j.job_order_id and p.factory_id = j.factory_id
    where p.operation = 'ship' and j.next_factory_id is not null
    group by j.order_id, j.lot_id, j.merchant_id, j.stage, j.next_factory_id, p.sku_id
),

received as (
    select
        j.lot_id,
        j.stage,
        j.factory_id,
        p.sku_id,
        sum(p.pieces) as pieces,
        max(p.last_scan_at) as last_at
    from {{ ref('int_job_order_pieces') }} as p
    inner join {{ ref('int_job_orders') }} as j on p.job_order_id = j.job_order_id and p.factory_id = j.factory_id
    where p.operation = 'receive'
    group by j.lot_id, j.stage, j.factory_id, p.sku_id
)

select
    l.order_id,
    l.lot_id,
    l.merchant_id,
    l.stage,
    l.factory_id,
    l.sku_id,
    cast(l.pieces as bigint) as left_pieces,
    cast(coalesce(r.pieces, 0) as bigint) as received_pieces,
    cast(
        if({{ local_date('l.last_at') }} + {{ var('lost_after_days') }} < {{ business_date() }}, 0, 1)
        * greatest(l.pieces - coalesce(r.pieces, 0), 0) as bigint
    ) as on_the_way,
    cast(
        if({{ local_date('l.last_at') }} + {{ var('lost_after_days') }} < {{ business_date() }}, 1, 0)
        * greatest(l.pieces - coalesce(r.pieces, 0), 0) as bigint
    ) as missing,
    l.last_at as last_left_at,
    r.last_at as last_received_at
from left_for as l
left join received as r
    on l.lot_id = r.lot_id and l.stage = r.stage and l.factory_id = r.factory_id and l.sku_id = r.sku_id
