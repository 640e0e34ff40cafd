{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ begin_batches() }}",
        "{{ fix_done() }}",
        "{{ fix_files('f.batch > ' ~ scans_done()) }}",
        "{{ find_recounted() }}",
        "{{ forget_superseded() }}",
    ],
) }}

with alone as (
    select
        factory_id,
        scan_id,
        line_id,
        job_order_id,
        sku_id,
        operation,
        quantity,
        defects,
        clock_ahead,
        scanned_at,
        received_at
    from {{ scans_of_files() }} as s
    where
        batch > {{ scans_done() }}
        and key_hash not in (select r.key_hash from {{ ref('int_scan_repeats') }} as r)
),

-- The first delivery of a scan of which nothing has been counted.
first_of_several as (
    select
        factory_id,
        scan_id,
        line_id,
        job_order_id,
        sku_id,
        operation,
        quantity,
        defects,
        clock_ahead,
        scanned_at,
        received_at
    from {{ ref('int_scan_repeats') }}
    where
        key_hash in (
            select r.key_hash
            from {{ ref('int_scan_repeats') }} as r
            where r.batch > {{ scans_done() }}
        )
    qualify is_first and min(batch) over (partition by factory_id, scan_id) > {{ scans_done() }}
),

counted as (
    select * from alone
    where not {{ is_recounted() }}
    union all
    select * from first_of_several
    where not {{ is_recounted() }}
    union all
    select
        factory_id,
        scan_id,
        line_id,
        job_order_id,
        sku_id,
        operation,
        quantity,
        defects,
        clock_ahead,
        scanned_at,
        received_at
    from {{ ref('int_scans') }}
    where {{ is_recounted() }}
)

select
    factory_id,
    line_id,
    job_order_id,
    sku_id,
    operation,
    time_bucket(interval 15 minutes, scanned_at) as slot,
    cast(sum(quantity) as bigint) as pieces,
    cast(sum(defects) as bigint) as defects,
    cast(count(*) as bigint) as scans,
    cast(count(*) filter (where clock_ahead) as bigint) as ahead_scans,
    cast(count(*) filter (where {{ is_late() }}) as bigint) as late_scans,
    min(scanned_at) as first_scan_at,
    max(scanned_at) as last_scan_at,
    cast((select max(f.batch) from {{ ref('int_scan_files') }} as f) as integer) as batch
from {{ corrected('counted') }}
group by factory_id, line_id, job_order_id, sku_id, operation, slot
