with counted as (
    select
        merchant_id,
        sku_id,
        sum(on_hand) as on_hand,
        max(as_of) as as_of
    from (
        select * from {{ ref('stg_stock') }}
        qualify row_number() over (partition by merchant_id, sku_id, location_id order by as_of desc) = 1
    )
    group by merchant_id, sku_id
),

-- What merchants ordered goes where they ordered it to; all else that they received is on their shelves.
received as (
    select merchant_id, sku_id, received_at, quantity as pieces
    from {{ ref('int_receipts') }}
    where coalesce(source, 'replenishment') = 'replenishment'
),

assumed as (
    select
        merchant_id,
        sku_id,
        day,
        assumed - lag(assumed, 1, 0) over (partition by job_order_id, sku_id order by day) as pieces
    from {{ ref('int_goods_days') }}
    where source = 'replenishment'
),

came as (
    select merchant_id, sku_id, received_at as came_at
    from received
    union all
    select merchant_id, sku_id, cast(day as timestamp) as came_at
    from assumed
    where pieces > 0
),

received_first as (
    select merchant_id, sku_id, min(came_at) as first_at
    from came
    group by merchant_id, sku_id
),

-- By job order: pieces that have left it are in transit, received or lost; an order that closes by receipt is still to
-- deliver what was lost.
made as (
    select
        merchant_id,
        lot_id,
        sku_id,
        sum(in_transit) as in_transit,
        sum(in_transit + received{{ ' + lost' if var('close_orders_by') == 'shipment' }}) as delivered
    from {{ ref('goods') }}
    where source = 'replenishment'
    group by merchant_id, lot_id, sku_id
),

coming as (
    select merchant_id, sku_id, sum(in_transit) as pieces
    from made
    group by merchant_id, sku_id
),

ordered as (
    select l.merchant_id, k.sku_id, sum(greatest(k.quantity - coalesce(m.delivered, 0), 0)) as pieces
    from {{ ref('stg_ledger_lot_skus') }} as k
    inner join {{ ref('stg_ledger_lots') }} as l on k.lot_id = l.lot_id
    inner join {{ ref('stg_ledger_orders') }} as o on l.order_id = o.order_id
    left join made as m on k.lot_id = m.lot_id and k.sku_id = m.sku_id
    where o.source = 'replenishment' and l.state in ('open', 'in_production')
    group by l.merchant_id, k.sku_id
),

-- A SKU that was never counted starts, empty, with its first receipt.
opening as (
    select
        s.merchant_id,
        s.sku_id,
        coalesce(c.on_hand, 0) as on_hand,
        coalesce(c.as_of, r.first_at) as as_of
    from {{ ref('skus') }} as s
    left join counted as c on s.merchant_id = c.merchant_id and s.sku_id = c.sku_id
    left join received_first as r on s.merchant_id = r.merchant_id and s.sku_id = r.sku_id
),

-- Sales have a date, counts a moment: a count after noon is taken to be after the sales of its day.
sold_since as (
    select o.merchant_id, o.sku_id, sum(l.quantity) as pieces
    from opening as o
    inner join {{ ref('int_sale_lines') }} as l on o.merchant_id = l.merchant_id and o.sku_id = l.sku_id
    where
        l.status != 'cancelled'
        and l.sold_on >= {{ local_date('o.as_of + interval 12 hour') }}
        and l.sold_on < {{ business_date() }}
    group by o.merchant_id, o.sku_id
),

received_since as (
    select o.merchant_id, o.sku_id, sum(r.pieces) as pieces
    from opening as o
    inner join received as r on o.merchant_id = r.merchant_id and o.sku_id = r.sku_id
    where r.received_at >= o.as_of
    group by o.merchant_id, o.sku_id
),

assumed_since as (
    select o.merchant_id, o.sku_id, greatest(sum(a.pieces), 0) as pieces
    from opening as o
    inner join assumed as a on o.merchant_id = a.merchant_id and o.sku_id = a.sku_id
    where a.day >= {{ local_date('o.as_of + interval 12 hour') }}
    group by o.merchant_id, o.sku_id
)

select
    o.merchant_id,
    o.sku_id,
    cast(greatest(o.on_hand - coalesce(s.pieces, 0) + coalesce(r.pieces, 0) + coalesce(a.pieces, 0), 0) as bigint)
        as on_hand,
    cast(coalesce(t.pieces, 0) as bigint) as in_transit,
    cast(coalesce(q.pieces, 0) as bigint) as on_order,
    cast(coalesce(a.pieces, 0) as bigint) as assumed,
    cast(greatest(coalesce(s.pieces, 0) - o.on_hand - coalesce(r.pieces, 0) - coalesce(a.pieces, 0), 0) as bigint)
        as owed,
    o.as_of
from opening as o
left join sold_since as s on o.merchant_id = s.merchant_id and o.sku_id = s.sku_id
left join received_since as r on o.merchant_id = r.merchant_id and o.sku_id = r.sku_id
left join assumed_since as a on o.merchant_id = a.merchant_id and o.sku_id = a.sku_id
left join coming as t on o.merchant_id = t.merchant_id and o.sku_id = t.sku_id
left join ordered as q on o.merchant_id = q.merchant_id and o.sku_id = q.sku_id
