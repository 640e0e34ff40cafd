select
    plan_id,
    order_id,
    factory_id,
    transit_days
from {{ source('landing', 'ledger_promise_factories') }}
where known_at < {{ cut_off() }}
qualify {{ latest('plan_id, order_id, factory_id', tie='transit_days') }}
