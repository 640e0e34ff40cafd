select
    merchant_id,
    style_id,
    day,
    signal,
    value
from {{ source('landing', 'demand_signals') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, style_id, day, signal') }}
