select
    merchant_id,
    sku_id,
    style_id,
    colour,
    size,
    category,
    price,
    cost,
    currency,
    crafts,
    sam_cut_minutes,
    sam_sew_minutes,
    sam_finish_minutes,
    sam_inspect_minutes,
    sam_pack_minutes,
    released_on,
    style_name,
    style_code,
    sku_code,
    colour_code,
    size_code,
    specification_url
from {{ source('landing', 'catalogue') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, sku_id') }}
