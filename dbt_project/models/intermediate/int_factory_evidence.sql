-- What a factory has shown in a category. A job order is due when it has ended or its day has passed.
with scanned as (
    select
        job_order_id,
        sum(quantity) filter (where operation = 'inspect') as pieces,
        sum(defects) as defects
    from {{ ref('int_scans') }}
    group by job_order_id
)

select
    j.factory_id,
    l.category,
    count(*) as job_orders,
    count(*) filter (where j.accepted) as accepted,
    count(*) filter (where j.state in ('Refused', 'Expired')) as refused,
    count(*) filter (where j.accepted and (j.ended_at is not null or j.due_on < {{ business_date() }})) as due,
    count(*) filter (
        where j.accepted and j.state = 'Ended' and {{ local_date('j.ended_at') }} <= j.due_on
    ) as on_time,
    coalesce(sum(s.pieces), 0) as pieces,
    coalesce(sum(s.defects), 0) as defects,
    count(j.answered_at) as answers,
    coalesce(sum(date_diff('minute', j.released_at, j.answered_at)) / 60, 0) as answer_hours
from {{ ref('int_job_orders') }} as j
inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
left join scanned as s on j.job_order_id = s.job_order_id
where j.state != 'Cancelled'
group by j.factory_id, l.category
