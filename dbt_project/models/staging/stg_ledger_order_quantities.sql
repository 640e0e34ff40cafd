select * exclude (known_at)
from {{ source('landing', 'ledger_order_quantities') }}
where known_at < {{ cut_off() }}
qualify {{ latest('lot_id', tie='lot_quantity') }}
