-- What the SKUs of a style share, weighted by their shares of the demand; where a text differs, that of most demand.
-- Prices and costs are those of its SKUs that count in its currency.
with style as (
    select
        s.merchant_id,
        s.style_id,
        max_by(s.category, s.size_share) as category,
        max_by(s.crafts, s.size_share) as crafts,
        sum(s.price * s.size_share) filter (where s.currency = m.currency)
        / sum(s.size_share) filter (where s.currency = m.currency) as list_price,
        sum(s.cost * s.size_share) filter (where s.currency = m.currency)
        / sum(s.size_share) filter (where s.currency = m.currency) as cost,
        any_value(m.currency) as currency,
        sum(s.sam_minutes * s.size_share) as sam_minutes,
        min(c.released_on) as released_on
    from {{ ref('skus') }} as s
    inner join {{ ref('stg_catalogue') }} as c on s.merchant_id = c.merchant_id and s.sku_id = c.sku_id
    inner join {{ ref('int_style_currencies') }} as m on s.merchant_id = m.merchant_id and s.style_id = m.style_id
    group by s.merchant_id, s.style_id
),

demand as (
    select
        merchant_id,
        style_id,
        min(demand_date) as first_sold_on,
        max(demand_date) as last_sold_on,
        sum(pieces_asked) filter (where recent) as pieces_28d,
        count(*) filter (where recent) as days_sold_28d,
        sum(unit_price * pieces_sold) filter (where recent)
        / sum(pieces_sold) filter (where recent and unit_price is not null) as price
    from (
        select *, demand_date >= {{ business_date() }} - {{ var('price_days') }} as recent
        from {{ ref('demand_daily') }}
    )
    group by merchant_id, style_id
)

select
    s.merchant_id,
    s.style_id,
    s.category,
    s.crafts,
    cast(coalesce(d.price, s.list_price) as decimal(18, 4)) as price,
    cast(s.list_price as decimal(18, 4)) as list_price,
    cast(s.cost as decimal(18, 4)) as cost,
    s.currency,
    s.sam_minutes,
    s.released_on,
    d.first_sold_on,
    d.last_sold_on,
    cast(coalesce(d.pieces_28d, 0) as bigint) as pieces_28d,
    cast(coalesce(d.days_sold_28d, 0) as integer) as days_sold_28d
from style as s
left join demand as d on s.merchant_id = d.merchant_id and s.style_id = d.style_id
