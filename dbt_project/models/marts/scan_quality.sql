with repeats as (
    select factory_id, cast(scanned_at as date) as day, cast(count(*) as integer) as repeated_scans
    from {{ ref('int_scan_repeats') }}
    where not is_first
    group by factory_id, cast(scanned_at as date)
)

select
    coalesce(s.factory_id, r.factory_id) as factory_id,
    coalesce(s.day, r.day) as day,
    coalesce(s.scans, 0) as scans,
    coalesce(r.repeated_scans, 0) as repeated_scans,
    coalesce(s.late_scans, 0) as late_scans,
    coalesce(s.ahead_scans, 0) as ahead_scans,
    coalesce(s.early_scans, 0) as early_scans,
    coalesce(s.unknown_scans, 0) as unknown_scans
from {{ ref('int_scan_days') }} as s
full join repeats as r on s.factory_id = r.factory_id and s.day = r.day
