-- Lines without an id of their own are numbered within a file (#1, #2, ...). They stand together: what is known later
-- of their SKU in the order takes the place of all of them.
with landed as (
    select
        merchant_id,
        order_id,
        sku_id,
        status,
        quantity,
        personalisation,
        known_at,
        _row_hash,
        coalesce(order_line_id, '#1') as order_line_id
    from {{ source('landing', 'merchant_order_lines') }}
    where known_at < {{ cut_off() }}
),

newest as (
    select
        *,
        max(known_at) over (partition by merchant_id, order_id, sku_id) as sku_known_at
    from landed
    qualify {{ latest('merchant_id, order_id, sku_id, order_line_id') }}
)

select
    merchant_id,
    order_id,
    sku_id,
    order_line_id,
    personalisation,
    if(coalesce(status, 'open') = 'cancelled', 0, quantity) as quantity
from newest
where not starts_with(order_line_id, '#') or known_at = sku_known_at
