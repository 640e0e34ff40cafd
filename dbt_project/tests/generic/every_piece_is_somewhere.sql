{# Conservation over every day, and the last day against the sources, each summed by itself: scans at inspect and ship,
   receipts of job orders, and what stock counts as in transit. Stages before a lot's last hand over, they ship no
   goods. #}
{% test every_piece_is_somewhere(model) %}
with last_day as (
    select * from {{ model }}
    qualify row_number() over (partition by job_order_id, sku_id order by day desc) = 1
),

scanned as (
    select
        p.job_order_id,
        p.sku_id,
        coalesce(sum(p.pieces) filter (where p.operation = 'inspect'), 0) as made,
        coalesce(sum(p.pieces) filter (where p.operation = 'ship'), 0) as shipped
    from {{ ref('int_job_order_pieces') }} as p
    inner join {{ ref('int_job_orders') }} as j on p.job_order_id = j.job_order_id and p.factory_id = j.factory_id
    where j.stage = j.stages
    group by p.job_order_id, p.sku_id
),

told as (
    select r.job_order_id, r.sku_id, sum(r.quantity) as received, sum(r.lost_quantity) as lost
    from {{ ref('int_receipts') }} as r
    where r.job_order_id is not null
    group by r.job_order_id, r.sku_id
),

compared as (
    select
        coalesce(d.job_order_id, s.job_order_id, t.job_order_id) as job_order_id,
        coalesce(d.made, 0) != coalesce(s.made, 0)
        or coalesce(d.received - d.assumed, 0) != coalesce(t.received, 0)
        or coalesce(d.lost, 0) < coalesce(t.lost, 0)
        or coalesce(d.in_transit + d.received + d.lost + d.surplus, 0)
        != greatest(coalesce(s.shipped, 0), coalesce(d.received + d.lost + d.surplus, 0)) as is_odd
    from last_day as d
    full outer join scanned as s on d.job_order_id = s.job_order_id and d.sku_id = s.sku_id
    full outer join told as t
        on coalesce(d.job_order_id, s.job_order_id) = t.job_order_id and coalesce(d.sku_id, s.sku_id) = t.sku_id
    where coalesce(s.made, 0) + coalesce(s.shipped, 0) + coalesce(t.received, 0) + coalesce(t.lost, 0) > 0
)

select job_order_id from {{ model }}
where
    made + unscanned != at_factory + in_transit + received + lost + surplus
    or least(made, unscanned, at_factory, in_transit, received - assumed, assumed, lost, surplus) < 0
union all
select job_order_id from compared
where is_odd
{% endtest %}
