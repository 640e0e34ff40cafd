select
    supplier_id,
    material_id,
    price,
    price_breaks,
    currency,
    minimum_order,
    pack,
    lead_days,
    capacity_per_week,
    status
from {{ source('landing', 'supplier_materials') }}
where known_at < {{ cut_off() }}
qualify {{ latest('supplier_id, material_id') }}
