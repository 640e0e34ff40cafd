select
    plan_id,
    order_id,
    merchant_id,
    pieces,
    unplaced,
    planned_on,
    promised_on,
    modelled,
    probability,
    made_at,
    coalesce(quoted, false) as quoted
from {{ source('landing', 'ledger_promises') }}
where known_at < {{ cut_off() }}
qualify {{ latest('plan_id, order_id', tie='made_at') }}
