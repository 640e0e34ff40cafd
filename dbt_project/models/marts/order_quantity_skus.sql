select
    s.lot_id,
    s.sku_id,
    q.merchant_id,
    s.sku_colour,
    s.size_share,
    s.on_hand,
    s.in_transit,
    s.on_order,
    s.lacking,
    s.quantity
from {{ ref('stg_ledger_order_quantity_skus') }} as s
inner join {{ ref('stg_ledger_order_quantities') }} as q on s.lot_id = q.lot_id
