-- What reviews of a style say, with the share of those heard and its 90 % interval.
with heard as (
    select r.merchant_id, r.style_id, r.review_id, r.rating, a.aspect, a.polarity, a.part
    from {{ ref('stg_reviews') }} as r
    inner join {{ ref('stg_review_aspects') }} as a on r.merchant_id = a.merchant_id and r.review_id = a.review_id
),

styles as (
    select
        merchant_id,
        style_id,
        count(distinct review_id) as voices,
        sum(rating) filter (where is_first) as stars
    from (
        select *, row_number() over of_review = 1 as is_first
        from heard
        window of_review as (partition by merchant_id, review_id order by aspect, polarity, part)
    ) as reviews
    group by merchant_id, style_id
),

said as (
    select merchant_id, style_id, aspect, polarity, part, count(*) as said, sum(rating) as stars
    from heard
    where aspect <> ''
    group by merchant_id, style_id, aspect, polarity, part
)

select
    d.merchant_id,
    d.style_id,
    d.aspect,
    d.polarity,
    d.part,
    s.voices::bigint as voices,
    d.said::bigint as said,
    (d.said / s.voices)::double as share,
    greatest({{ wilson('d.said', 's.voices', -1) }}, 0)::double as share_low,
    least({{ wilson('d.said', 's.voices', 1) }}, 1)::double as share_high,
    (d.stars / d.said)::double as rating,
    ((s.stars - d.stars) / nullif(s.voices - d.said, 0))::double as rating_of_others
from said as d
inner join styles as s on d.merchant_id = s.merchant_id and d.style_id = s.style_id
