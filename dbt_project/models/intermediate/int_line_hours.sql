{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['factory_id', 'line_id', 'hour_at'],
    on_schema_change='fail',
    pre_hook=["{{ begin_batches() }}", "{{ fix_done() }}", "{{ forget_recounted() }}", "{{ fix_earliest() }}"],
) }}
-- depends_on: {{ ref('int_scan_files') }}

with
{% if is_incremental() %}
    touched as (
        select
            s.factory_id,
            s.line_id,
            f.timezone,
            cast({{ wall_clock('s.slot', 'f.timezone') }} as date) as day,
            min({{ hour_at('s.slot', 'f.timezone') }}) as hour_at
        from {{ touched_slots() }} as s
        inner join {{ ref('stg_factories') }} as f on s.factory_id = f.factory_id
        group by s.factory_id, s.line_id, f.timezone, day
    ),

    -- From the hour before on: its last gap ends in the first touched one.
    anew as (
        select
            t.factory_id,
            t.line_id,
            coalesce(max(h.hour_at), t.hour_at) as begins_at,
            {{ utc('cast(t.day + 1 as timestamp)', 't.timezone') }} as ends_at
        from touched as t
        left join {{ this }} as h
            on t.factory_id = h.factory_id and t.line_id = h.line_id and t.day = h.day and t.hour_at > h.hour_at
        group by t.factory_id, t.line_id, t.timezone, t.day, t.hour_at
    ),

    scanned as (
        select s.*
        from {{ ref('int_scan_slots') }} as s
        inner join anew as a
            on
                s.factory_id = a.factory_id
                and s.line_id = a.line_id
                and s.slot >= a.begins_at
                and s.slot < a.ends_at
        where s.slot >= {{ earliest() }}
    ),
{% else %}
    scanned as (
        select * from {{ ref('int_scan_slots') }}
        where line_id is not null
    ),
{% endif %}

worked as (
    select
        s.factory_id,
        s.line_id,
        s.slot,
        min(s.first_scan_at) as first_scan_at,
        max(s.last_scan_at) as last_scan_at,
        sum(s.scans) as scans,
        {% for operation in ['cut', 'sew', 'finish', 'inspect', 'pack', 'ship'] -%}
            coalesce(sum(s.pieces) filter (where s.operation = '{{ operation }}'), 0) as {{ operation }}_pieces,
            coalesce(sum(s.defects) filter (where s.operation = '{{ operation }}'), 0) as {{ operation }}_defects,
        {% endfor -%}
        sum(s.pieces * {{ sam_minutes('s.operation', 'l') }}) as earned_minutes,
        sum(s.defects * {{ sam_minutes('s.operation', 'l') }}) as lost_minutes,
        max(s.batch) as batch
    from scanned as s
    inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
    inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
    where not {{ is_early('s.slot', 'j.released_at') }}
    group by s.factory_id, s.line_id, s.slot
),

placed as (
    select
        w.*,
        {{ hour_at('w.slot', 'f.timezone') }} as hour_at,
        cast({{ wall_clock('w.slot', 'f.timezone') }} as date) as day
    from worked as w
    inner join {{ ref('stg_factories') }} as f on w.factory_id = f.factory_id
),

gaps as (
    select
        *,
        date_diff('microsecond', last_scan_at, lead(first_scan_at) over (
            partition by factory_id, line_id, day order by slot
        )) / 60e6 as gap_minutes
    from placed
)

select
    factory_id,
    line_id,
    day,
    hour_at,
    min(first_scan_at) as first_scan_at,
    max(last_scan_at) as last_scan_at,
    cast(sum(scans) as bigint) as scans,
    {% for operation in ['cut', 'sew', 'finish', 'inspect', 'pack', 'ship'] -%}
        cast(sum({{ operation }}_pieces) as bigint) as {{ operation }}_pieces,
        cast(sum({{ operation }}_defects) as bigint) as {{ operation }}_defects,
    {% endfor -%}
    sum(earned_minutes) as earned_minutes,
    sum(lost_minutes) as lost_minutes,
    coalesce(sum(gap_minutes) filter (where gap_minutes > {{ var('idle_gap_minutes') }}), 0) as gap_minutes,
    max(batch) as batch,
    {{ cut_off() }} as cut_off
from gaps
group by factory_id, line_id, day, hour_at
