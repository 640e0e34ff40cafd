{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ begin_batches() }}",
        "{{ fix_done() }}",
        "{{ fix_files('f.batch > ' ~ scans_done()) }}",
    ],
) }}

with arrived as not materialized (
    select key_hash, file_no, batch
    from {{ scans_of_files() }} as s
    where batch > {{ scans_done() }}
),

repeated as (
    select key_hash
    from arrived
    group by key_hash
    having count(*) > 1
    {% if is_incremental() %}
        union
        select key_hash
        from {{ this }}
        where key_hash in (select a.key_hash from arrived as a)
    {% endif %}
)

select
    a.key_hash,
    cast(a.file_no as integer) as file_no,
    cast(a.batch as integer) as batch,
    r.key_hash is not null as is_repeated
from arrived as a
left join repeated as r on a.key_hash = r.key_hash
