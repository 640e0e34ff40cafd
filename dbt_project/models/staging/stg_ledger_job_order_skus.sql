select
    job_order_id,
    sku_id,
    quantity
from {{ source('landing', 'ledger_job_order_skus') }}
where known_at < {{ cut_off() }}
qualify {{ latest('job_order_id, sku_id', tie='quantity') }}
