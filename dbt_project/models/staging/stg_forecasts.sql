select
    merchant_id,
    style_id,
    business_date,
    ds,
    horizon_day,
    point,
    mean,
    q05,
    q10,
    q25,
    q50,
    q75,
    q90,
    q95,
    model_version,
    known_at
from {{ source('landing', 'forecasts') }}
where known_at < {{ cut_off() }}
qualify {{ latest('merchant_id, style_id, business_date, ds', tie='model_version') }}
