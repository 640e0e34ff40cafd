with days as (
    select
        *,
        lag(received, 1, 0) over (partition by job_order_id, sku_id order by day) as received_before
    from {{ ref('int_goods_days') }}
)

select
    job_order_id,
    sku_id,
    merchant_id,
    source,
    order_id,
    lot_id,
    factory_id,
    made,
    unscanned,
    at_factory,
    in_transit,
    received,
    assumed,
    lost,
    surplus,
    day as changed_on,
    max(day) filter (where received > received_before) over (partition by job_order_id, sku_id) as arrived_on
from days
qualify row_number() over (partition by job_order_id, sku_id order by day desc) = 1
