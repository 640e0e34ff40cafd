select
    lot_id,
    order_id,
    merchant_id,
    style_id,
    colour,
    category,
    quantity,
    sam_cut_minutes,
    sam_sew_minutes,
    sam_finish_minutes,
    sam_inspect_minutes,
    sam_pack_minutes,
    operations,
    state
from {{ source('landing', 'ledger_lots') }}
where known_at < {{ cut_off() }}
qualify {{ latest('lot_id', tie='state') }}
