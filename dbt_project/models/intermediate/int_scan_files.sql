{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        'create sequence if not exists scan_batch',
        "{{ find_compacted() }}",
        "{{ forget_scan_files() }}",
        "{{ find_scan_files() }}",
        "{{ replace_compacted() }}",
    ],
) }}
-- depends_on: {{ source('landing', 'scans') }}

with
{% if is_incremental() %}
    known as (select * from {{ this }}),
{% else %}
    known as (
        select null as landed_file, null as file_no, null as received_to, null as batch, null as replaced_by
        where false
    ),
{% endif %}

found as (
    select
        file_name as landed_file,
        min(cast(stats_min_value as timestamp)) as first_received_at,
        max(cast(stats_max_value as timestamp)) as last_received_at
    from parquet_metadata(getvariable('scan_files'))
    where path_in_schema = 'received_at' and num_values > 0
    group by file_name
),

reached as (
    select landed_file, max(received_to) as received_to
    from known
    group by landed_file
),

replaced as (
    select replaced_by, max(batch) as batch
    from known
    group by replaced_by
),

taken as (
    select
        f.*,
        k.received_to as received_from,
        r.batch as old_batch,
        (select nextval('scan_batch')) as new_batch
    from found as f
    left join reached as k on f.landed_file = k.landed_file
    left join replaced as r on f.landed_file = r.replaced_by
    where f.first_received_at < {{ cut_off() }}
)

select
    landed_file,
    row_number() over (order by landed_file) + coalesce((select max(k.file_no) from known as k), 0) as file_no,
    coalesce(received_from, timestamp '-infinity') as received_from,
    case when last_received_at < {{ cut_off() }} then timestamp 'infinity' else {{ cut_off() }} end as received_to,
    last_received_at < {{ cut_off() }} as complete,
    least(last_received_at, {{ cut_off() }} - interval 1 microsecond) as last_received_at,
    coalesce(old_batch, new_batch) as batch,
    cast(null as varchar) as replaced_by,
    version() as engine
from taken
where coalesce(received_from, timestamp '-infinity') < {{ cut_off() }}
union all
-- What a compacted file was merged from, so that it is known should it come again.
select
    s.source as landed_file,
    0 as file_no,
    timestamp '-infinity' as received_from,
    timestamp 'infinity' as received_to,
    true as complete,
    timestamp '-infinity' as last_received_at,
    0 as batch,
    s.landed_file as replaced_by,
    version() as engine
from scan_sources as s
inner join taken as t on s.landed_file = t.landed_file
where s.source not in (select k.landed_file from known as k)
