-- Share of complaints that are known so many days after the sale: what was seen, and the prior as `weight` complaints.
with seen as (
    select date_diff('day', sold_on, known_on) as delay_days
    from {{ ref('int_complaints') }}
    where sold_on between {{ business_date() }} - 120 and {{ business_date() }} - 45
)

select
    d.days,
    (
        count(s.delay_days) filter (where s.delay_days <= d.days)
        + {{ var('complaints').delay_weight }} * (1 - exp(-(d.days + 1) / {{ var('complaints').delay_days }}))
    ) / (count(s.delay_days) + {{ var('complaints').delay_weight }}) as known_share
from generate_series(0, 120) as d (days)
left join seen as s on true
group by d.days
