select
    factory_id,
    kind,
    name,
    efficiency
from {{ source('landing', 'factory_capabilities') }}
where known_at < {{ cut_off() }}
qualify {{ latest('factory_id, kind, name') }}
