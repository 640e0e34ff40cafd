select
    merchant_id,
    style_id,
    day,
    coalesce(max(value) filter (where signal = 'promotion_depth'), 0) as promotion_depth,
    coalesce(max(value) filter (where signal = 'livestream_minutes'), 0) as livestream_minutes,
    max(value) filter (where signal = 'views' and day < {{ business_date() }}) as views,
    max(value) filter (where signal = 'searches' and day < {{ business_date() }}) as searches,
    max(value) filter (where signal = 'carts' and day < {{ business_date() }}) as carts
from {{ ref('stg_demand_signals') }}
group by merchant_id, style_id, day
