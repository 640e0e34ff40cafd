{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['merchant_id', 'sale_line_id'],
    merge_update_condition='(DBT_INTERNAL_SOURCE.known_at, DBT_INTERNAL_SOURCE._row_hash)
        > (DBT_INTERNAL_DEST.known_at, DBT_INTERNAL_DEST._row_hash)',
    on_schema_change='fail',
    pre_hook="{{ forget_replayed('known_at') }}",
) }}

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
    landed_file
from {{ ref('stg_sales_lines') }}
{% if is_incremental() %}
    where {{ not_built('known_at') }}
{% endif %}
qualify {{ latest('merchant_id, sale_line_id') }}
