-- A scan from a clock that runs ahead is clamped to the moment when it was received, and marked.
select
    factory_id,
    scan_id,
    job_order_id,
    sku_id,
    operation,
    quantity,
    defects,
    line_id,
    "at" > received_at + to_seconds({{ var('scan_skew_seconds') }}) as clock_ahead,
    case
        when "at" > received_at + to_seconds({{ var('scan_skew_seconds') }}) then received_at else "at"
    end as scanned_at,
    received_at,
    filename as landed_file,
    hash(factory_id, scan_id) as key_hash
from {{ source('landing', 'scans') }}
where received_at < {{ cut_off() }}
