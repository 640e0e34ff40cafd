select
    factory_id,
    factory_code,
    country,
    latitude,
    longitude,
    timezone,
    currency,
    lines,
    operators,
    minute_cost,
    overtime_minute_cost,
    setup_cost,
    setup_minutes,
    engagement_cost,
    min_lot,
    small_order_willingness,
    handling_days,
    audit_score,
    certificates,
    transport,
    endpoint_url,
    status,
    onboarding,
    onboarding_on,
    onboarding_evidence
from {{ source('landing', 'factories') }}
where known_at < {{ cut_off() }}
qualify {{ latest('factory_id') }}
