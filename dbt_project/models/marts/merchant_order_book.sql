with quarantined as (
    select
        merchant_id,
        order_id,
        count(*)::integer as quarantined_lines,
        min(concat(coalesce(sku_id, 'unreadable'), ' (', rule, ')')) as quarantined_line
    from {{ ref('stg_quarantined_order_lines') }}
    group by merchant_id, order_id
)

select
    o.merchant_id,
    o.order_id,
    o.order_code,
    l.sku_id,
    l.order_line_id,
    l.personalisation,
    s.style_id,
    s.colour,
    s.category,
    l.quantity,
    o.placed_on,
    o.release_on,
    o.due_on,
    o.priority,
    o.tolerance_share,
    o.max_factories,
    o.currency,
    o.destination_latitude,
    o.destination_longitude,
    o.status,
    o.parent_order_id,
    o.line_count,
    o.total_quantity,
    q.quarantined_line,
    coalesce(q.quarantined_lines, 0) as quarantined_lines
from {{ ref('stg_merchant_orders') }} as o
inner join {{ ref('stg_merchant_order_lines') }} as l on o.merchant_id = l.merchant_id and o.order_id = l.order_id
inner join {{ ref('skus') }} as s on l.merchant_id = s.merchant_id and l.sku_id = s.sku_id
left join quarantined as q on o.merchant_id = q.merchant_id and o.order_id = q.order_id
