-- Demand of the last weeks before the business date by the channel it came through, and again by its region. Over the
-- places of a dimension it adds up to that of demand_daily.
with lines as (
    select
        l.merchant_id,
        l.style_id,
        l.channel,
        coalesce(l.region, '') as region,
        l.quantity,
        l.status <> 'cancelled' as sold,
        cast(ceil(({{ business_date() }} - l.sold_on) / 7) as integer) as weeks_ago
    from {{ ref('int_sale_lines') }} as l
    semi join {{ ref('int_style_currencies') }} as c on l.merchant_id = c.merchant_id and l.style_id = c.style_id
    where
        l.quantity > 0
        and l.sold_on < {{ business_date() }}
        and l.sold_on >= {{ business_date() }} - 7 * {{ var('demand_weeks') }}
)

select
    merchant_id,
    style_id,
    weeks_ago,
    cast(sum(quantity) as bigint) as pieces_asked,
    cast(coalesce(sum(quantity) filter (where sold), 0) as bigint) as pieces_sold,
    case when grouping(channel) = 0 then 'channel' else 'region' end as dimension,
    case when grouping(channel) = 0 then channel else region end as place
from lines
group by grouping sets (
    (merchant_id, style_id, weeks_ago, channel), (merchant_id, style_id, weeks_ago, region)
)
