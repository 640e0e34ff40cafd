-- Pieces of replenishment lots that factories shipped: on the shelf from then on.
select
    o.merchant_id,
    j.lot_id,
    s.sku_id,
    s.scanned_at,
    s.quantity
from {{ ref('int_scans') }} as s
inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
inner join {{ ref('stg_ledger_orders') }} as o on j.order_id = o.order_id
where s.operation = 'ship' and o.source = 'replenishment'
