select
    job_order_id,
    lot_id,
    order_id,
    merchant_id,
    factory_id,
    revision,
    sequence,
    quantity,
    rank,
    state,
    accepted,
    start_on,
    due_on,
    ended_at,
    "at" as changed_at,
    known_at
from {{ source('landing', 'ledger_job_orders') }}
where known_at < {{ cut_off() }}
