select
    merchant_id,
    order_id,
    sku_id,
    if(coalesce(status, 'open') = 'cancelled', 0, quantity) as quantity
from {{ source('landing', 'merchant_order_lines') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, order_id, sku_id') }}
