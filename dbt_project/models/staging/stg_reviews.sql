select
    merchant_id,
    review_id,
    style_id,
    sku_id,
    sale_line_id,
    reviewed_on,
    rating,
    known_at
from {{ source('landing', 'reviews') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, review_id') }}
