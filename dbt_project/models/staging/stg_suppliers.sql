select
    supplier_id,
    supplier_code,
    country,
    currency,
    order_cost,
    capacity_per_week,
    audit_score,
    certificates,
    status
from {{ source('landing', 'suppliers') }}
where known_at < {{ cut_off() }}
qualify {{ latest('supplier_id') }}
