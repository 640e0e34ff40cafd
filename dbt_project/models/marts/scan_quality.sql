with deliveries as (
    select
        factory_id,
        cast(scanned_at as date) as day,
        is_first,
        (job_order_id, sku_id, operation, quantity, defects) as content,
        first_value((job_order_id, sku_id, operation, quantity, defects)) over (
            partition by factory_id, scan_id order by is_first desc
        ) as first_content
    from {{ ref('int_scan_repeats') }}
),

repeats as (
    select
        factory_id,
        day,
        count(*) as repeated_scans,
        count(*) filter (where content is distinct from first_content) as conflicting_scans
    from deliveries
    where not is_first
    group by factory_id, day
)

select
    coalesce(s.factory_id, r.factory_id) as factory_id,
    coalesce(s.day, r.day) as day,
    coalesce(s.scans, 0) as scans,
    coalesce(r.repeated_scans, 0) as repeated_scans,
    coalesce(s.late_scans, 0) as late_scans,
    coalesce(s.ahead_scans, 0) as ahead_scans,
    coalesce(s.early_scans, 0) as early_scans,
    coalesce(s.unknown_scans, 0) as unknown_scans,
    coalesce(r.conflicting_scans, 0) as conflicting_scans
from {{ ref('int_scan_days') }} as s
full join repeats as r on s.factory_id = r.factory_id and s.day = r.day
