select
    merchant_id,
    sale_line_id,
    sku_id,
    style_id,
    sold_on,
    quantity,
    status,
    amount,
    currency,
    promotion,
    channel,
    region,
    known_at,
    _row_hash,
    filename as landed_file
from {{ source('landing', 'sales_lines') }}
where known_at < {{ cut_off() }}
