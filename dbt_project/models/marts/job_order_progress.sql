-- What a wrong clock says happened before the release is put at the release.
select
    p.job_order_id,
    p.sku_id,
    p.operation,
    p.factory_id,
    j.merchant_id,
    j.lot_id,
    p.pieces as good_pieces,
    p.defects,
    greatest(p.first_scan_at, j.released_at) as first_scan_at,
    greatest(p.last_scan_at, j.released_at) as last_scan_at
from {{ ref('int_job_order_pieces') }} as p
inner join {{ ref('int_job_orders') }} as j on p.job_order_id = j.job_order_id and p.factory_id = j.factory_id
