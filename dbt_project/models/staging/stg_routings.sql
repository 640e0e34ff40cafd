-- A routing is told whole: of a style the steps with the latest known_at hold.
select
    merchant_id,
    style_id,
    step,
    operation,
    craft,
    sam_minutes,
    stage
from {{ source('landing', 'routings') }}
where known_at < {{ cut_off() }}
qualify
    {{ latest('merchant_id, style_id, step') }}
    and known_at = max(known_at) over (partition by merchant_id, style_id)
