{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['factory_id', 'day'],
    on_schema_change='fail',
    pre_hook=["{{ begin_batches() }}", "{{ fix_done() }}", "{{ forget_recounted() }}", "{{ fix_earliest() }}"],
) }}
-- depends_on: {{ ref('int_scan_files') }}

with slots as (
    select *, cast(slot as date) as day
    from {{ ref('int_scan_slots') }}
    {% if is_incremental() %}
        where
            slot >= {{ earliest() }}
            and (factory_id, cast(slot as date)) in (
                select (t.factory_id, cast(t.slot as date)) from {{ touched_slots() }} as t
            )
    {% endif %}
)

select
    s.factory_id,
    s.day,
    cast(sum(s.scans) as integer) as scans,
    cast(sum(s.ahead_scans) as integer) as ahead_scans,
    cast(sum(s.late_scans) as integer) as late_scans,
    cast(coalesce(sum(s.scans) filter (where {{ is_early('s.slot', 'j.released_at') }}), 0) as integer) as early_scans,
    cast(coalesce(sum(s.scans) filter (where j.job_order_id is null), 0) as integer) as unknown_scans,
    max(s.batch) as batch,
    {{ cut_off() }} as cut_off
from slots as s
left join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
group by s.factory_id, s.day
