select * exclude (known_at)
from {{ source('landing', 'ledger_order_quantity_skus') }}
where known_at < {{ cut_off() }}
qualify {{ latest('lot_id, sku_id', tie='quantity') }}
