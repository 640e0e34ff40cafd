select
    merchant_id,
    parent_kind,
    parent_id,
    colour,
    material_id,
    quantity,
    unit,
    waste_share
from {{ source('landing', 'bill_of_materials') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, parent_kind, parent_id, colour, material_id') }}
