select
    * exclude (known_at) replace (coalesce(in_transit, 0) as in_transit) -- noqa: ST06
from {{ source('landing', 'ledger_order_quantity_skus') }}
where known_at < {{ cut_off() }}
qualify {{ latest('lot_id, sku_id', tie='quantity') }}
