select
    from_place,
    to_place,
    mode,
    cost_per_piece,
    cost_per_kg,
    cost_per_m3,
    currency,
    days,
    days_sd
from {{ source('landing', 'lanes') }}
where known_at < {{ cut_off() }}
qualify {{ latest('from_place, to_place, mode') }}
