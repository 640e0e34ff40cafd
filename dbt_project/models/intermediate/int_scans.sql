{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['factory_id', 'scan_id'],
    merge_update_condition='DBT_INTERNAL_SOURCE.received_at < DBT_INTERNAL_DEST.received_at',
    on_schema_change='fail',
    pre_hook="{{ forget_replayed('received_at') }}",
) }}

-- A scan may be delivered more than once, with the same content; the first delivery counts.
select
    factory_id,
    scan_id,
    job_order_id,
    sku_id,
    operation,
    quantity,
    defects,
    line_id,
    scanned_at,
    received_at,
    landed_file
from {{ ref('stg_scans') }}
{% if is_incremental() %}
    where {{ not_built('received_at') }}
{% endif %}
qualify row_number() over (partition by factory_id, scan_id order by received_at, scanned_at, quantity, defects) = 1
