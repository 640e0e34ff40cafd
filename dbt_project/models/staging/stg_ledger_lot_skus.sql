select
    lot_id,
    sku_id,
    quantity
from {{ source('landing', 'ledger_lot_skus') }}
where known_at < {{ cut_off() }}
qualify {{ latest('lot_id, sku_id', tie='quantity') }}
