select
    merchant_id,
    order_id,
    order_code,
    placed_on,
    release_on,
    due_on,
    currency,
    priority,
    tolerance_share,
    max_factories,
    destination_latitude,
    destination_longitude,
    status,
    parent_order_id,
    line_count,
    total_quantity
from {{ source('landing', 'merchant_orders') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, order_id') }}
