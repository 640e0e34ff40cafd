-- Volume and price of categories by whole week before the business date: what merchants here sell, what others tell.
-- A month that others tell of stands in the week of its first day.
with own as (
    select
        'own' as source,
        d.merchant_id,
        s.category,
        d.currency,
        cast(date_trunc('week', d.demand_date) as date) as week,
        cast(sum(d.pieces_asked) as double) as volume,
        cast(
            sum(d.unit_price * d.pieces_sold) / nullif(sum(d.pieces_sold) filter (where d.unit_price > 0), 0) as double
        ) as price
    from {{ ref('demand_daily') }} as d
    inner join {{ ref('styles') }} as s on d.merchant_id = s.merchant_id and d.style_id = s.style_id
    group by all
),

-- The week in which a merchant began to sell is no whole one, unless that was a Monday.
begun as (
    select merchant_id, cast(date_trunc('week', min(demand_date) + 6) as date) as first_week
    from {{ ref('demand_daily') }}
    group by merchant_id
),

outside as (
    select
        source,
        '' as merchant_id,
        category,
        max(currency) as currency,
        cast(date_trunc('week', day) as date) as week,
        sum(volume) as volume,
        coalesce(sum(price * volume) / nullif(sum(volume) filter (where price > 0), 0), avg(price)) as price
    from {{ ref('stg_market') }}
    group by all
),

every_series as (
    select o.*
    from own as o
    inner join begun as b on o.merchant_id = b.merchant_id
    where o.week >= b.first_week
    union all by name
    select * from outside
)

select source, merchant_id, category, currency, week, volume, price
from every_series
where week + 7 <= {{ business_date() }}
