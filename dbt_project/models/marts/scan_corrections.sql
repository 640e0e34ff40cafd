select
    factory_id,
    scan_id,
    corrects,
    job_order_id,
    sku_id,
    operation,
    quantity,
    defects,
    scanned_quantity,
    scanned_defects,
    said_at,
    received_at,
    state
from {{ ref('int_scan_corrections') }}
