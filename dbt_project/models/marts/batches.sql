-- Job orders whose pieces are sold: what shoppers say and send back of them, beside what was to be expected.
select
    job_order_id,
    merchant_id,
    factory_id,
    style_id,
    first_sold_on,
    sold::bigint as sold,
    complaints::double as complaints,
    expected::double as expected,
    exp(least(evidence, 50))::double as odds,
    complaints >= {{ var('complaints').least }} and evidence >= -ln({{ var('complaints').false_alarms }}) as is_bad
from {{ ref('int_batch_days') }}
where as_of = {{ business_date() }}
