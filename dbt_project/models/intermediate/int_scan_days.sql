{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['factory_id', 'day'],
    on_schema_change='fail',
    pre_hook=["{{ begin_batches() }}", "{{ fix_done() }}", "{{ forget_recounted() }}"],
) }}
-- depends_on: {{ ref('int_scan_files') }}

with arrived as (
    select
        s.factory_id,
        cast(s.slot as date) as day,
        s.scans,
        s.ahead_scans,
        s.late_scans,
        if({{ is_early('s.slot', 'j.released_at') }}, s.scans, 0) as early_scans,
        if(j.job_order_id is null, s.scans, 0) as unknown_scans,
        s.batch
    from {{ ref('int_scan_slots') }} as s
    left join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
    where s.batch > {{ scans_done() }}
    {% if is_incremental() %}
        union all
        -- Counted as unknown before: of job orders that were not known yet.
        select
            s.factory_id,
            cast(s.slot as date) as day,
            0 as scans,
            0 as ahead_scans,
            0 as late_scans,
            if({{ is_early('s.slot', 'j.released_at') }}, s.scans, 0) as early_scans,
            -s.scans as unknown_scans,
            s.batch
        from {{ ref('int_scan_slots') }} as s
        inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
        where s.batch <= {{ scans_done() }} and {{ is_newly_known('j') }}
    {% endif %}
),

counted as (
    select * from arrived
    {% if is_incremental() %}
        union all
        select factory_id, day, scans, ahead_scans, late_scans, early_scans, unknown_scans, batch
        from {{ this }}
        where (factory_id, day) in (select (a.factory_id, a.day) from arrived as a)
    {% endif %}
)

select
    factory_id,
    day,
    cast(sum(scans) as bigint) as scans,
    cast(sum(ahead_scans) as bigint) as ahead_scans,
    cast(sum(late_scans) as bigint) as late_scans,
    cast(sum(early_scans) as bigint) as early_scans,
    cast(sum(unknown_scans) as bigint) as unknown_scans,
    max(batch) as batch,
    {{ cut_off() }} as cut_off
from counted
group by factory_id, day
