with lines as (
    select
        *,
        status != 'cancelled' as sold,
        status != 'cancelled' and quantity > 0 and amount > 0 as priced
    from {{ ref('int_sale_lines') }}
    where quantity > 0 and sold_on < {{ business_date() }}
)

select
    merchant_id,
    style_id,
    sold_on as demand_date,
    cast(sum(quantity) as bigint) as pieces_asked,
    cast(coalesce(sum(quantity) filter (where sold), 0) as bigint) as pieces_sold,
    cast(coalesce(sum(quantity) filter (where not sold), 0) as bigint) as pieces_cancelled,
    cast(coalesce(sum(quantity) filter (where status = 'returned'), 0) as bigint) as pieces_returned,
    cast(coalesce(sum(amount) filter (where sold), 0) as decimal(18, 4)) as revenue,
    cast(sum(amount) filter (where priced) / sum(quantity) filter (where priced) as decimal(18, 4)) as unit_price,
    sum(quantity * cast(promotion as integer)) / sum(quantity) as promotion_share
from lines
group by merchant_id, style_id, sold_on
