-- Purchase orders that were released, by line, and what has come of them.
with came as (
    select
        purchase_order_id,
        material_id,
        sum(quantity) as received,
        sum(lost_quantity) as lost,
        max(received_at) as received_at
    from {{ ref('stg_receipts') }}
    where purchase_order_id is not null and material_id is not null
    group by purchase_order_id, material_id
)

select
    p.purchase_order_id,
    p.material_id,
    p.supplier_id,
    p.quantity,
    p.price,
    p.currency,
    p.order_on,
    p.due_on,
    cast(coalesce(c.received, 0) as double) as received,
    cast(coalesce(c.lost, 0) as double) as lost,
    {{ local_date('c.received_at') }} as received_on,
    greatest(p.quantity - coalesce(c.received, 0) - coalesce(c.lost, 0), 0) as under_way
from {{ ref('stg_ledger_purchases') }} as p
left join came as c on p.purchase_order_id = c.purchase_order_id and p.material_id = c.material_id
where p.released_at is not null
