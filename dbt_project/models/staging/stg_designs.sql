select
    merchant_id,
    design_id,
    design_name,
    category,
    price,
    currency,
    crafts,
    sam_cut_minutes,
    sam_sew_minutes,
    sam_finish_minutes,
    sam_inspect_minutes,
    sam_pack_minutes,
    routing,
    bill_of_materials,
    attributes,
    colours,
    sizes,
    test_pieces,
    status,
    known_at
from {{ source('landing', 'designs') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, design_id') }}
