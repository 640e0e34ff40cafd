select
    s.job_order_id,
    s.sku_id,
    s.operation,
    j.factory_id,
    j.merchant_id,
    j.lot_id,
    cast(sum(s.quantity) as integer) as good_pieces,
    cast(sum(s.defects) as integer) as defects,
    min(s.scanned_at) as first_scan_at,
    max(s.scanned_at) as last_scan_at
from {{ ref('int_scans') }} as s
inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
group by s.job_order_id, s.sku_id, s.operation, j.factory_id, j.merchant_id, j.lot_id
