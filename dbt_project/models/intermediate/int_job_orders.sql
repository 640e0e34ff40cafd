-- The state of each job order, with the moments of its release and of the factory's answer out of the change log. Its
-- pieces shall be where they go on due_on, so its work shall end on ends_by.
select
    job_order_id,
    lot_id,
    order_id,
    merchant_id,
    factory_id,
    quantity,
    rank,
    state,
    accepted,
    start_on,
    due_on,
    ended_at,
    stage,
    stages,
    next_factory_id,
    changed_at,
    due_on - transit_days as ends_by,
    min(changed_at) over (partition by job_order_id) as released_at,
    min(known_at) over (partition by job_order_id) as known_since,
    min(changed_at) filter (where accepted is not null) over (partition by job_order_id) as answered_at
from {{ ref('stg_ledger_job_orders') }}
qualify {{ latest('job_order_id', tie='revision desc, sequence') }}
