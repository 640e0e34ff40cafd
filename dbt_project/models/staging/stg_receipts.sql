select
    merchant_id,
    receipt_id,
    location_id,
    sku_id,
    material_id,
    quantity,
    lost_quantity,
    received_at,
    job_order_id,
    shipment_id,
    purchase_order_id
from {{ source('landing', 'receipts') }}
where known_at < {{ cut_off() }} and received_at < {{ cut_off() }}
qualify {{ latest('merchant_id, receipt_id') }}
