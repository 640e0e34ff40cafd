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
    next_factory_id,
    "at" as changed_at,
    known_at,
    coalesce(stage, 1) as stage,
    coalesce(stages, 1) as stages,
    coalesce(transit_days, 0) as transit_days
from {{ source('landing', 'ledger_job_orders') }}
where known_at < {{ cut_off() }}
