select
    merchant_id,
    order_id,
    sku_id,
    quantity
from {{ source('landing', 'merchant_order_lines') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, order_id, sku_id') }}
