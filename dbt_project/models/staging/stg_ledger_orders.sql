select
    order_id,
    merchant_id,
    source,
    merchant_order_id,
    order_code,
    parent_order_id,
    tolerance_share,
    state
from {{ source('landing', 'ledger_orders') }}
where known_at < {{ cut_off() }}
qualify {{ latest('order_id', tie='state') }}
