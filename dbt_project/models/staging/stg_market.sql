select
    source,
    category,
    day,
    volume,
    cast(price as double) as price,
    coalesce(currency, '') as currency
from {{ source('landing', 'market') }}
where known_at < {{ cut_off() }}
qualify {{ latest('source, category, day') }}
