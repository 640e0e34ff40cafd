select
    factory_id,
    day,
    earned_minutes,
    paid_minutes,
    planned_minutes
from {{ ref('int_factory_speed') }}
where craft is null
