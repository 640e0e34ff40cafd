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
    day as changed_on
from {{ ref('int_goods_days') }}
qualify row_number() over (partition by job_order_id, sku_id order by day desc) = 1
