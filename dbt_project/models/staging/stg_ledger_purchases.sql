select
    purchase_order_id,
    material_id,
    supplier_id,
    quantity,
    price,
    currency,
    order_on,
    due_on,
    released_at
from {{ source('landing', 'ledger_purchases') }}
where known_at < {{ cut_off() }}
qualify {{ latest('purchase_order_id, material_id', tie='released_at') }}
