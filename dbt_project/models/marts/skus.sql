with catalogue as (
    select * from {{ ref('stg_catalogue') }}
),

recent as (
    select merchant_id, sku_id, sum(quantity) as pieces
    from {{ ref('int_sale_lines') }}
    where
        sold_on >= {{ business_date() }} - {{ var('size_days') }}
        and sold_on < {{ business_date() }}
    group by merchant_id, sku_id
),

counted as (
    select
        c.merchant_id,
        c.sku_id,
        c.style_id,
        c.category,
        c.size,
        coalesce(r.pieces, 0) as pieces
    from catalogue as c
    left join recent as r on c.merchant_id = r.merchant_id and c.sku_id = r.sku_id
),

-- Demand of a size per SKU that offers it, so that a size which few styles have is not taken for one that few want. One
-- piece more for every SKU: no size is impossible.
curve as (
    select merchant_id, category, size, (sum(pieces) + count(*)) / count(*) as weight
    from counted
    group by merchant_id, category, size
),

prior as (
    select
        counted.*,
        curve.weight / sum(curve.weight) over style as prior_share,
        sum(counted.pieces) over style as style_pieces
    from counted
    inner join curve
        on
            counted.merchant_id = curve.merchant_id
            and counted.category = curve.category
            and counted.size = curve.size
    window style as (partition by counted.merchant_id, counted.style_id)
),

routed as (
    select
        merchant_id,
        style_id,
        coalesce(string_agg(distinct craft, ';' order by craft), '') as crafts,
        sum(sam_minutes) as sam_minutes
    from {{ ref('routings') }}
    group by merchant_id, style_id
)

select
    c.merchant_id,
    c.sku_id,
    c.style_id,
    c.colour,
    c.size,
    c.category,
    c.price,
    c.cost,
    c.currency,
    coalesce(r.crafts, c.crafts) as crafts,
    c.style_name,
    c.style_code,
    c.sku_code,
    c.colour_code,
    c.size_code,
    c.specification_url,
    c.sam_cut_minutes,
    c.sam_sew_minutes,
    c.sam_finish_minutes,
    c.sam_inspect_minutes,
    c.sam_pack_minutes,
    coalesce(
        r.sam_minutes,
        c.sam_cut_minutes + c.sam_sew_minutes + c.sam_finish_minutes + c.sam_inspect_minutes + c.sam_pack_minutes
    ) as sam_minutes,
    {{ shrunk('p.pieces', 'p.style_pieces', 'p.prior_share', var('size_prior_pieces')) }} as size_share
from catalogue as c
inner join prior as p on c.merchant_id = p.merchant_id and c.sku_id = p.sku_id
left join routed as r on c.merchant_id = r.merchant_id and c.style_id = r.style_id
