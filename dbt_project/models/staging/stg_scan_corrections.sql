-- What takes scans back: a factory's corrections, and what a person has set aside, which then counts no piece.
select
    factory_id,
    scan_id,
    corrects,
    job_order_id,
    sku_id,
    operation,
    quantity,
    defects,
    "at" as said_at,
    received_at,
    false as is_set_aside,
    filename as landed_file,
    hash(factory_id, corrects) as key_hash
from {{ source('landing', 'scan_corrections') }}
where received_at < {{ cut_off() }}
union all
select
    factory_id,
    null as scan_id,
    scan_id as corrects,
    null as job_order_id,
    null as sku_id,
    null as operation,
    0 as quantity,
    0 as defects,
    received_at as said_at,
    received_at,
    true as is_set_aside,
    filename as landed_file,
    hash(factory_id, scan_id) as key_hash
from {{ source('landing', 'scan_set_asides') }}
where received_at < {{ cut_off() }}
