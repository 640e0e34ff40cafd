{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='key_hash',
    on_schema_change='fail',
    pre_hook=[
        "{{ begin_batches() }}",
        "{{ fix_done() }}",
        "{{ fix_files('f.file_no in (select k.file_no from ' ~ ref('int_scan_keys') ~ ' as k where k.key_hash in (
            select r.key_hash from ' ~ ref('int_scan_keys') ~ ' as r where r.is_repeated and r.batch > '
            ~ scans_done() ~ '))') }}",
    ],
) }}

select
    *,
    row_number() over (partition by factory_id, scan_id order by {{ first_received() }}) = 1 as is_first
from {{ scans_of_files() }} as s
where key_hash in (
    select k.key_hash
    from {{ ref('int_scan_keys') }} as k
    where k.is_repeated and k.batch > {{ scans_done() }}
)
