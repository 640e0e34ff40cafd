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
    released_on,
    style_name,
    style_code,
    sku_code,
    colour_code,
    size_code,
    specification_url,
    attributes,
    coalesce(sam_cut_minutes, 0) as sam_cut_minutes,
    coalesce(sam_sew_minutes, 0) as sam_sew_minutes,
    coalesce(sam_finish_minutes, 0) as sam_finish_minutes,
    coalesce(sam_inspect_minutes, 0) as sam_inspect_minutes,
    coalesce(sam_pack_minutes, 0) as sam_pack_minutes
from {{ source('landing', 'catalogue') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, sku_id') }}
