{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='job_order_id',
    on_schema_change='fail',
    pre_hook=["{{ begin_batches() }}", "{{ fix_done() }}", "{{ forget_recounted() }}"],
) }}
-- depends_on: {{ ref('int_scan_files') }}

with counted as (
    select factory_id, job_order_id, sku_id, operation, pieces, defects, first_scan_at, last_scan_at, batch
    from {{ ref('int_scan_slots') }}
    {% if is_incremental() %}
        where batch > {{ scans_done() }}
        union all
        select factory_id, job_order_id, sku_id, operation, pieces, defects, first_scan_at, last_scan_at, batch
        from {{ this }}
        where job_order_id in (
            select s.job_order_id from {{ ref('int_scan_slots') }} as s
            where s.batch > {{ scans_done() }}
        )
    {% endif %}
)

select
    factory_id,
    job_order_id,
    sku_id,
    operation,
    cast(sum(pieces) as bigint) as pieces,
    cast(sum(defects) as bigint) as defects,
    min(first_scan_at) as first_scan_at,
    max(last_scan_at) as last_scan_at,
    max(batch) as batch
from counted
group by factory_id, job_order_id, sku_id, operation
