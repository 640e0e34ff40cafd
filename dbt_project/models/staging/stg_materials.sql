select
    material_id,
    material_code,
    material_name,
    unit,
    kg_per_unit,
    m3_per_unit,
    attributes
from {{ source('landing', 'materials') }}
where known_at < {{ cut_off() }}
qualify {{ latest('material_id') }}
