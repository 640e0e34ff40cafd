with slots as (
    select
        s.factory_id,
        cast(s.slot as date) as day,
        sum(s.scans) as scans,
        sum(s.ahead_scans) as ahead_scans,
        sum(s.late_scans) as late_scans,
        coalesce(sum(s.scans) filter (where {{ is_early('s.slot', 'j.released_at') }}), 0) as early_scans,
        coalesce(sum(s.scans) filter (where j.job_order_id is null), 0) as unknown_scans
    from {{ ref('int_scan_slots') }} as s
    left join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
    group by s.factory_id, cast(s.slot as date)
),

repeats as (
    select factory_id, cast(scanned_at as date) as day, count(*) as repeats
    from {{ ref('int_scan_repeats') }}
    where not is_first
    group by factory_id, cast(scanned_at as date)
),

days as (
    select factory_id, day from slots
    union
    select factory_id, day from repeats
)

select
    d.factory_id,
    d.day,
    cast(coalesce(s.scans, 0) as integer) as scans,
    cast(coalesce(r.repeats, 0) as integer) as repeated_scans,
    cast(coalesce(s.late_scans, 0) as integer) as late_scans,
    cast(coalesce(s.ahead_scans, 0) as integer) as ahead_scans,
    cast(coalesce(s.early_scans, 0) as integer) as early_scans,
    cast(coalesce(s.unknown_scans, 0) as integer) as unknown_scans
from days as d
left join slots as s on d.factory_id = s.factory_id and d.day = s.day
left join repeats as r on d.factory_id = r.factory_id and d.day = r.day
