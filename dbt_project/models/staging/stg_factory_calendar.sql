select
    factory_id,
    day,
    minutes,
    overtime_minutes,
    reason
from {{ source('landing', 'factory_calendar') }}
where known_at < {{ cut_off() }}
qualify {{ latest('factory_id, day') }}
