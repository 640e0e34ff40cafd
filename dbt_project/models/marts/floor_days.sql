-- What each line did for a job order on a day of the factory's zone.
select
    s.job_order_id,
    coalesce(s.line_id, '') as line_id,
    cast({{ wall_clock('s.slot', 'f.timezone') }} as date) as day,
    s.factory_id,
    sum((s.pieces + s.defects) * {{ sam_minutes('s.operation', 'l') }}) as earned_minutes,
    cast(coalesce(sum(s.pieces) filter (where s.operation = 'inspect'), 0) as bigint) as good_pieces,
    cast(sum(s.defects) as bigint) as defects,
    max(s.last_scan_at) as last_scan_at
from {{ ref('int_scan_slots') }} as s
inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
inner join {{ ref('stg_factories') }} as f on s.factory_id = f.factory_id
group by s.job_order_id, coalesce(s.line_id, ''), day, s.factory_id
