{{ config(materialized='table') }}
{#- How a receipt says whose goods it tells of: key of its pieces, and whether they must have left by then. #}
{%- set levels = [('shipment', 'shipment_id', false), ('order', 'purchase_order_id', false), ('sku', 'place', true)] %}
-- Receipts of goods by the job orders that they came from. One that names a job order takes of it whatever it says. One
-- that names a shipment (a scan `ship`, by its scan_id) or a purchase order (an order, by its order_id) takes the
-- pieces of its SKU that these have shipped; one that names what nobody knows, those that had left for such a place by
-- then. Of several, what left first. What is more came from elsewhere: it has no job order.
-- Where the merchant counts stock arrives what replenishes it, in another place what the merchant ordered.
with places as (
    select distinct merchant_id, location_id from {{ ref('stg_stock') }}
),

counting as (
    select distinct merchant_id from places
),

-- An order goes by its id in the merchant's feed, by the merchant's number and by our id; where two say the same, that
-- order of these holds.
order_names as (
    select merchant_id, order_id, merchant_order_id as own_name, 1 as rank from {{ ref('stg_ledger_orders') }}
    union all
    select merchant_id, order_id, order_code as own_name, 2 as rank from {{ ref('stg_ledger_orders') }}
    union all
    select merchant_id, order_id, order_id as own_name, 3 as rank from {{ ref('stg_ledger_orders') }}
),

orders as (
    select * from order_names
    where own_name is not null
    qualify row_number() over (partition by merchant_id, own_name order by rank, order_id) = 1
),

shipped as (
    select
        s.merchant_id,
        s.sku_id,
        s.job_order_id,
        s.source,
        s.scan_id,
        s.scanned_at,
        s.quantity,
        s.scan_id as shipment_id,
        s.order_id as purchase_order_id,
        if(c.merchant_id is null, '', s.source) as place
    from {{ ref('int_shipments') }} as s
    left join counting as c on s.merchant_id = c.merchant_id
),

of_shipment as (
    select distinct merchant_id, sku_id, shipment_id from shipped
),

of_order as (
    select distinct merchant_id, sku_id, purchase_order_id from shipped
),

told as (
    select
        r.merchant_id,
        r.receipt_id,
        r.sku_id,
        r.received_at,
        r.quantity,
        r.lost_quantity,
        r.shipment_id,
        n.order_id as purchase_order_id,
        j.job_order_id,
        o.source,
        case
            when p.location_id is not null then 'replenishment'
            when c.merchant_id is not null then 'merchant'
            else ''
        end as place,
        case
            when r.job_order_id is not null then 'job order'
            when s.shipment_id is not null then 'shipment'
            when q.purchase_order_id is not null then 'order'
            else 'sku'
        end as level
    from {{ ref('stg_receipts') }} as r
    left join {{ ref('int_job_orders') }} as j on r.job_order_id = j.job_order_id and r.merchant_id = j.merchant_id
    left join {{ ref('stg_ledger_orders') }} as o on j.order_id = o.order_id
    left join orders as n on r.merchant_id = n.merchant_id and r.purchase_order_id = n.own_name
    left join places as p on r.merchant_id = p.merchant_id and r.location_id = p.location_id
    left join counting as c on r.merchant_id = c.merchant_id
    left join of_shipment as s
        on r.merchant_id = s.merchant_id and r.sku_id = s.sku_id and r.shipment_id = s.shipment_id
    left join of_order as q
        on r.merchant_id = q.merchant_id and r.sku_id = q.sku_id and n.order_id = q.purchase_order_id
    where r.sku_id is not null
),

-- Of a receipt the good pieces are told before the lost ones.
parts as (
    select *, false as is_lost, quantity as pieces from told
    union all
    select *, true as is_lost, lost_quantity as pieces from told
),

named as (
    select job_order_id, sku_id, sum(pieces) as pieces
    from parts
    where job_order_id is not null
    group by job_order_id, sku_id
),

-- What receipts that name the job order leave of its shipments: they take what left first.
left_shipment as (
    select
        s.*,
        greatest(least(s.quantity, sum(s.quantity) over in_turn - coalesce(n.pieces, 0)), 0) as pieces
    from shipped as s
    left join named as n on s.job_order_id = n.job_order_id and s.sku_id = n.sku_id
    window in_turn as (
        partition by s.job_order_id, s.sku_id order by s.scanned_at, s.scan_id rows unbounded preceding
    )
),
{% for level, key, has_left in levels %}
    lying_{{ level }} as (
        select *, sum(pieces) over in_turn as until, sum(pieces) over in_turn - pieces as since
        from left_{{ level }}
        window in_turn as (
            partition by merchant_id, sku_id, {{ key }}
            order by scanned_at, scan_id, job_order_id rows unbounded preceding
        )
    ),

    there_{{ level }} as (
        select p.merchant_id, p.receipt_id, p.is_lost, max(l.until) as there
        from parts as p
        inner join lying_{{ level }} as l
            on
                p.merchant_id = l.merchant_id
                and p.sku_id = l.sku_id
                and p.{{ key }} = l.{{ key }}
        where p.level = '{{ level }}'{{ ' and p.received_at >= l.scanned_at' if has_left }}
        group by p.merchant_id, p.receipt_id, p.is_lost
    ),

    asked_{{ level }} as (
        select p.*, sum(p.pieces) over in_turn as asked, coalesce(t.there, 0) as there
        from parts as p
        left join there_{{ level }} as t
            on p.merchant_id = t.merchant_id and p.receipt_id = t.receipt_id and p.is_lost = t.is_lost
        where p.level = '{{ level }}' and p.pieces > 0
        window in_turn as (
            partition by p.merchant_id, p.sku_id, p.{{ key }}
            order by p.received_at, p.receipt_id, p.is_lost
            rows unbounded preceding
        )
    ),

    -- A receipt takes no more than lies there: what earlier ones asked for in vain is not kept for them.
    served_{{ level }} as (
        select
            *,
            asked - greatest(max(asked - there) over (
                partition by merchant_id, sku_id, {{ key }}
                order by received_at, receipt_id, is_lost
                rows unbounded preceding
            ), 0) as served
        from asked_{{ level }}
    ),

    between_{{ level }} as (
        select
            *,
            lag(served, 1, 0) over (
                partition by merchant_id, sku_id, {{ key }} order by received_at, receipt_id, is_lost
            ) as before
        from served_{{ level }}
    ),

    matched_{{ level }} as (
        select
            b.merchant_id,
            b.receipt_id,
            b.is_lost,
            l.scan_id,
            l.job_order_id,
            l.source,
            least(b.served, l.until) - greatest(b.before, l.since) as pieces
        from between_{{ level }} as b
        inner join lying_{{ level }} as l
            on
                b.merchant_id = l.merchant_id
                and b.sku_id = l.sku_id
                and b.{{ key }} = l.{{ key }}
                and b.served > l.since
                and b.before < l.until
    ),
    {% if not loop.last %}
        taken_{{ level }} as (
            select job_order_id, scan_id, sum(pieces) as pieces
            from matched_{{ level }}
            group by job_order_id, scan_id
        ),

        left_{{ loop.nextitem[0] }} as (
            select l.* replace (l.pieces - coalesce(t.pieces, 0) as pieces)
            from left_{{ level }} as l
            left join taken_{{ level }} as t on l.job_order_id = t.job_order_id and l.scan_id = t.scan_id
        ),

    {% endif %}
{%- endfor %}
matched as (
    select * from matched_shipment
    union all
    select * from matched_order
    union all
    select * from matched_sku
),

matched_parts as (
    select merchant_id, receipt_id, is_lost, sum(pieces) as pieces
    from matched
    group by merchant_id, receipt_id, is_lost
),

rest as (
    select
        p.merchant_id,
        p.receipt_id,
        p.is_lost,
        p.job_order_id,
        p.source,
        p.pieces - coalesce(m.pieces, 0) as pieces
    from parts as p
    left join matched_parts as m
        on p.merchant_id = m.merchant_id and p.receipt_id = m.receipt_id and p.is_lost = m.is_lost
),

all_parts as (
    select merchant_id, receipt_id, is_lost, job_order_id, source, pieces from matched
    union all
    select merchant_id, receipt_id, is_lost, job_order_id, source, pieces from rest
    where pieces > 0
)

select
    t.merchant_id,
    t.receipt_id,
    t.sku_id,
    t.received_at,
    a.job_order_id,
    a.source,
    cast(coalesce(sum(a.pieces) filter (where not a.is_lost), 0) as bigint) as quantity,
    cast(coalesce(sum(a.pieces) filter (where a.is_lost), 0) as bigint) as lost_quantity
from all_parts as a
inner join told as t on a.merchant_id = t.merchant_id and a.receipt_id = t.receipt_id
group by t.merchant_id, t.receipt_id, t.sku_id, t.received_at, a.job_order_id, a.source
