-- Each past forecast against the days that are known by now. Naive: the demand of the same weekday, the last one known
-- at the origin.
with judged as (
    select
        f.*,
        coalesce(a.pieces_asked, 0) as actual,
        coalesce(n.pieces_asked, 0) as naive
    from {{ ref('stg_forecasts') }} as f
    left join {{ ref('demand_daily') }} as a
        on f.merchant_id = a.merchant_id and f.style_id = a.style_id and f.ds = a.demand_date
    left join {{ ref('demand_daily') }} as n
        on
            f.merchant_id = n.merchant_id
            and f.style_id = n.style_id
            and f.ds - 7 * cast(1 + (f.ds - f.business_date) // 7 as integer) = n.demand_date
    where f.ds >= f.business_date and f.ds < {{ business_date() }}
)

select
    business_date,
    merchant_id,
    cast(sum(actual) as bigint) as pieces,
    sum(abs(point - actual)) / nullif(sum(actual), 0) as wape,
    sum(abs(naive - actual)) / nullif(sum(actual), 0) as naive_wape,
    sum(mean - actual) / nullif(sum(actual), 0) as bias,
    avg(
        (
            {%- for level in ('05', '10', '25', '50', '75', '90', '95') %}
                greatest(0.{{ level }} * (actual - q{{ level }}), (0.{{ level }} - 1) * (actual - q{{ level }}))
                {%- if not loop.last %} +{% endif %}
            {%- endfor %}
        ) / 7
    ) as pinball,
    avg(cast(actual between q10 and q90 as integer)) as coverage_80,
    max_by(model_version, known_at) as model_version
from judged
group by business_date, merchant_id
