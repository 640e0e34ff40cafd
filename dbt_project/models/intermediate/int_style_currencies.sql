-- The one currency in which a style counts: that of most of its SKUs; without a catalogue, the first of its sales.
select merchant_id, style_id, currency
from (
    select merchant_id, style_id, currency, count(*) as skus
    from {{ ref('stg_catalogue') }}
    group by merchant_id, style_id, currency
    union all
    select merchant_id, style_id, min(currency) as currency, 0 as skus
    from {{ ref('int_sale_lines') }}
    group by merchant_id, style_id
)
qualify row_number() over (partition by merchant_id, style_id order by skus desc, currency asc) = 1
