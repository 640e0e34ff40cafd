select
    factory_id,
    scan_id,
    job_order_id,
    sku_id,
    operation,
    quantity,
    defects,
    line_id,
    "at" as scanned_at,
    received_at,
    filename as landed_file
from {{ source('landing', 'scans') }}
where received_at < {{ cut_off() }}
