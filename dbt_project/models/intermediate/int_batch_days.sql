{{ config(materialized='table') }}
-- Each batch (job order) on each score day: pieces sold, complaints, what was to be expected of as many pieces as old,
-- and the evidence that it is worse than the others of its style. A complaint without a sale counts by share: as the
-- SKU's sales of the `untraced_days` before were of the batch.
with events as (
    select c.merchant_id, b.job_order_id, c.known_on, b.share
    from {{ ref('int_complaints') }} as c
    inner join {{ ref('int_sale_batches') }} as b
        on c.merchant_id = b.merchant_id and c.sale_line_id = b.sale_line_id
    union all
    select
        c.merchant_id,
        b.job_order_id,
        c.known_on,
        sum(b.pieces) / any_value(t.pieces) as share
    from {{ ref('int_complaints') }} as c
    inner join {{ ref('int_sale_batches') }} as b
        on
            c.merchant_id = b.merchant_id
            and c.sku_id = b.sku_id
            and b.sold_on between c.known_on - {{ var('complaints').untraced_days }} and c.known_on - 1
    inner join lateral (
        select sum(s.quantity) as pieces
        from {{ ref('int_sale_lines') }} as s
        where
            s.merchant_id = c.merchant_id
            and s.sku_id = c.sku_id
            and s.status <> 'cancelled'
            and s.sold_on between c.known_on - {{ var('complaints').untraced_days }} and c.known_on - 1
    ) as t on true
    where c.sale_line_id is null
    group by c.merchant_id, b.job_order_id, c.known_on, c.sku_id, c.style_id
),

batches as (
    select
        b.merchant_id,
        b.job_order_id,
        j.factory_id,
        any_value(s.style_id) as style_id,
        min(b.sold_on) as first_sold_on
    from {{ ref('int_sale_batches') }} as b
    inner join {{ ref('int_job_orders') }} as j on b.job_order_id = j.job_order_id
    inner join {{ ref('stg_catalogue') }} as s on b.merchant_id = s.merchant_id and b.sku_id = s.sku_id
    group by b.merchant_id, b.job_order_id, j.factory_id
),

own as (
    select b.job_order_id, d.as_of, sum(s.pieces) as sold, sum(s.pieces * l.known_share) as exposed
    from batches as b
    inner join {{ ref('int_score_days') }} as d on b.first_sold_on < d.as_of
    inner join {{ ref('int_sale_batches') }} as s on b.job_order_id = s.job_order_id and d.as_of > s.sold_on
    inner join {{ ref('int_complaint_delays') }} as l on least(date_diff('day', s.sold_on, d.as_of) - 1, 120) = l.days
    group by b.job_order_id, d.as_of
),

complained as (
    select e.job_order_id, d.as_of, sum(e.share) as complaints
    from events as e
    inner join {{ ref('int_score_days') }} as d on e.known_on < d.as_of
    group by e.job_order_id, d.as_of
),

-- Styles of which a batch is on the shelf, over the days looked back: what all their pieces had, and the merchant's.
style_days as (
    select
        s.merchant_id,
        s.style_id,
        d.as_of,
        sum(s.quantity * l.known_share) as exposed,
        count(c.sale_line_id) filter (where c.known_on < d.as_of) as complaints
    from {{ ref('int_sale_lines') }} as s
    inner join {{ ref('int_score_days') }} as d
        on s.sold_on between d.as_of - {{ var('complaints').looked_back_days }} and d.as_of - 1
    inner join {{ ref('int_complaint_delays') }} as l on least(date_diff('day', s.sold_on, d.as_of) - 1, 120) = l.days
    left join {{ ref('int_complaints') }} as c on s.merchant_id = c.merchant_id and s.sale_line_id = c.sale_line_id
    where s.status <> 'cancelled' and s.merchant_id in (select b.merchant_id from batches as b)
    group by s.merchant_id, s.style_id, d.as_of
),

usual as (
    select
        *,
        (sum(complaints) over of_merchant + {{ var('complaints').rate }} * {{ var('complaints').weight_pieces }})
        / (sum(exposed) over of_merchant + {{ var('complaints').weight_pieces }}) as merchant_rate
    from style_days
    window of_merchant as (partition by merchant_id, as_of)
),

beside as (
    select
        b.*,
        o.as_of,
        o.sold,
        o.exposed,
        coalesce(c.complaints, 0) as complaints,
        greatest(u.complaints - coalesce(c.complaints, 0), 0)
        + u.merchant_rate * {{ var('complaints').weight_pieces }} as others,
        greatest(u.exposed - o.exposed, 0) + {{ var('complaints').weight_pieces }} as others_exposed
    from batches as b
    inner join own as o on b.job_order_id = o.job_order_id
    inner join usual as u on b.merchant_id = u.merchant_id and b.style_id = u.style_id and o.as_of = u.as_of
    left join complained as c on b.job_order_id = c.job_order_id and o.as_of = c.as_of
)

select
    *,
    exposed * others / others_exposed as expected,
    {{ batch_evidence('complaints', 'exposed', 'others', 'others_exposed') }} as evidence
from beside
