-- A sale that went wrong by its goods, once, with the day on which that was known: sent back, or a review that says so.
with said as (
    select
        r.merchant_id,
        r.review_id,
        r.sale_line_id,
        r.sku_id,
        r.style_id,
        {{ local_date('r.known_at') }} as known_on
    from {{ ref('stg_reviews') }} as r
    semi join {{ ref('stg_review_aspects') }} as a
        on
            r.merchant_id = a.merchant_id
            and r.review_id = a.review_id
            and a.aspect in ('size', 'fit', 'cloth', 'making', 'colour')
            and a.polarity in ('bad', 'small', 'large')
),

told as (
    select merchant_id, sale_line_id, known_on from said
    where sale_line_id is not null
    union all
    select merchant_id, sale_line_id, {{ local_date('known_at') }} as known_on
    from {{ ref('int_sale_lines') }}
    where status = 'returned'
),

first_told as (
    select merchant_id, sale_line_id, min(known_on) as known_on
    from told
    group by merchant_id, sale_line_id
)

select
    f.merchant_id,
    f.sale_line_id,
    s.sku_id,
    s.style_id,
    f.known_on,
    s.sold_on
from first_told as f
inner join {{ ref('int_sale_lines') }} as s on f.merchant_id = s.merchant_id and f.sale_line_id = s.sale_line_id
union all
select merchant_id, null as sale_line_id, sku_id, style_id, known_on, null as sold_on
from said
where sale_line_id is null
