with lines as (
    select l.*, c.currency as counted_in
    from {{ ref('int_sale_lines') }} as l
    inner join {{ ref('int_style_currencies') }} as c on l.merchant_id = c.merchant_id and l.style_id = c.style_id
    where l.quantity > 0 and l.sold_on < {{ business_date() }}
),

-- What was taken in another currency, at the rate of its day; without one its pieces count and its amount does not.
converted as (
    select l.merchant_id, l.sale_line_id, try_cast(l.amount * r.rate as decimal(18, 4)) as amount
    from (
        select *
        from lines
        where currency != counted_in
    ) as l
    asof left join {{ ref('stg_exchange_rates') }} as r
        on l.currency = r.currency and l.counted_in = r.quote_currency and l.sold_on >= r.day
),

counted as (
    select
        l.* exclude (amount),
        l.status != 'cancelled' as sold,
        case when l.currency = l.counted_in then l.amount else c.amount end as amount
    from lines as l
    left join converted as c on l.merchant_id = c.merchant_id and l.sale_line_id = c.sale_line_id
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
    cast(
        sum(amount) filter (where sold and amount > 0) / sum(quantity) filter (where sold and amount > 0)
        as decimal(18, 4)
    ) as unit_price,
    any_value(counted_in) as currency,
    sum(quantity * cast(promotion as integer)) / sum(quantity) as promotion_share
from counted
group by merchant_id, style_id, sold_on
