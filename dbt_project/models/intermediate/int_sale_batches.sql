{{ config(materialized='table') }}
-- Which job order's pieces a sale took, by share of its pieces: a shelf gives what came first first. It begins with
-- what the first count of stock found, of which nobody knows who made it. Returned pieces and recounts are left out.
with first_counts as (
    select *, min(as_of) over (partition by merchant_id, sku_id) as first_at
    from {{ ref('stg_stock') }}
),

counted as (
    select
        merchant_id,
        sku_id,
        sum(on_hand) as pieces,
        {{ local_date('min(as_of)') }} as since
    from first_counts
    where as_of = first_at
    group by merchant_id, sku_id
),

came as (
    select
        merchant_id,
        sku_id,
        job_order_id,
        day as came_on,
        received - lag(received, 1, 0) over (partition by job_order_id, sku_id order by day) as pieces
    from {{ ref('int_goods_days') }}
),

known as (
    select distinct merchant_id, sku_id from came
    where pieces > 0
),

layers as (
    select
        k.merchant_id,
        k.sku_id,
        null as job_order_id,
        coalesce(c.since, date '1900-01-01') as came_on,
        coalesce(c.pieces, 0) as pieces
    from known as k
    left join counted as c on k.merchant_id = c.merchant_id and k.sku_id = c.sku_id
    union all
    select * from came
    where pieces > 0
),

stacked as (
    select
        *,
        sum(pieces) over in_turn - pieces as first_piece,
        sum(pieces) over in_turn as last_piece,
        min(came_on) over (partition by merchant_id, sku_id) as since
    from layers
    window in_turn as (
        partition by merchant_id, sku_id order by came_on, job_order_id nulls first rows unbounded preceding
    )
),

begun as (
    select distinct merchant_id, sku_id, since from stacked
),

sold as (
    select
        s.merchant_id,
        s.sale_line_id,
        s.sku_id,
        s.sold_on,
        s.quantity,
        sum(s.quantity) over in_turn - s.quantity as first_piece,
        sum(s.quantity) over in_turn as last_piece
    from {{ ref('int_sale_lines') }} as s
    inner join begun as k
        on s.merchant_id = k.merchant_id and s.sku_id = k.sku_id and s.sold_on >= k.since
    where s.status <> 'cancelled' and s.quantity > 0
    window in_turn as (
        partition by s.merchant_id, s.sku_id order by s.sold_on, s.sale_line_id rows unbounded preceding
    )
)

select
    s.merchant_id,
    s.sale_line_id,
    s.sku_id,
    s.sold_on,
    b.job_order_id,
    least(s.last_piece, b.last_piece) - greatest(s.first_piece, b.first_piece) as pieces,
    (least(s.last_piece, b.last_piece) - greatest(s.first_piece, b.first_piece)) / s.quantity as share
from sold as s
inner join stacked as b
    on
        s.merchant_id = b.merchant_id
        and s.sku_id = b.sku_id
        and s.last_piece > b.first_piece
        and s.first_piece < b.last_piece
where b.job_order_id is not null
