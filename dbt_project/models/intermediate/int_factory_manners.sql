-- In which order a factory takes its job orders, as of a day: the probability that it keeps to the rank that it is
-- told, that it works first come, first served, or that it takes its favourites, the largest, first. Evidence is each
-- beginning of a job order while others waited that might have begun too: a factory of a manner takes the one that the
-- manner says, but for one in so many (`manner_slips`), which are any other. Bayes' rule on the priors, decayed.
-- Ranks are those that stood when the job order was begun: later plans change the ranks of what still waits.
with begun as (
    select
        job_order_id,
        factory_id,
        min(first_scan_at) as begun_at
    from {{ ref('int_job_order_pieces') }}
    group by job_order_id, factory_id
),

jobs as (
    select
        j.factory_id,
        j.job_order_id,
        j.quantity,
        j.due_on,
        j.start_on,
        j.released_at,
        j.answered_at,
        coalesce(b.begun_at, j.ended_at) as gone_at,
        b.begun_at,
        cast({{ wall_clock('b.begun_at', 'f.timezone') }} as date) as begun_on
    from {{ ref('int_job_orders') }} as j
    inner join {{ ref('stg_factories') }} as f on j.factory_id = f.factory_id
    left join begun as b on j.job_order_id = b.job_order_id and j.factory_id = b.factory_id
    where coalesce(j.accepted, false)
),

waiting as (
    select
        b.factory_id,
        b.begun_on,
        b.begun_at,
        b.job_order_id,
        c.job_order_id as candidate,
        c.due_on,
        c.released_at,
        c.quantity
    from jobs as b
    inner join jobs as c
        on
            b.factory_id = c.factory_id
            and b.begun_at >= c.answered_at
            and (c.gone_at is null or b.begun_at <= c.gone_at)
            and b.begun_on >= c.start_on
),

choices as (
    select
        w.factory_id,
        w.begun_on,
        w.job_order_id,
        w.candidate,
        count(*) over by_choice as waiting,
        row_number() over (
            partition by w.job_order_id order by r.rank nulls first, w.due_on, w.candidate
        ) as by_rank,
        row_number() over (
            partition by w.job_order_id order by w.released_at, r.rank nulls first, w.due_on, w.candidate
        ) as by_arrival,
        row_number() over (
            partition by w.job_order_id order by -w.quantity, w.released_at, r.rank nulls first, w.candidate
        ) as by_size
    from waiting as w
    asof left join {{ ref('stg_ledger_job_orders') }} as r
        on w.candidate = r.job_order_id and w.begun_at >= r.known_at
    window by_choice as (partition by w.job_order_id)
),

told as (
    select
        t.factory_id,
        d.as_of,
        count(*) as seen,
        sum({{ decay('t.begun_on', 'd.as_of', var('manner_half_life_days')) }} * {{ told('by_rank') }}) as rank,
        sum({{ decay('t.begun_on', 'd.as_of', var('manner_half_life_days')) }} * {{ told('by_arrival') }}) as arrival,
        sum({{ decay('t.begun_on', 'd.as_of', var('manner_half_life_days')) }} * {{ told('by_size') }}) as size
    from choices as t
    inner join {{ ref('int_score_days') }} as d on t.begun_on < d.as_of
    where t.candidate = t.job_order_id and t.waiting > 1
    group by t.factory_id, d.as_of
),

weighed as (
    select
        f.factory_id,
        d.as_of,
        coalesce(t.seen, 0) as seen,
        {{ prior_manner('rank') }} * coalesce(exp(t.rank - greatest(t.rank, t.arrival, t.size)), 1) as rank,
        {{ prior_manner('arrival') }} * coalesce(exp(t.arrival - greatest(t.rank, t.arrival, t.size)), 1) as arrival,
        {{ prior_manner('size') }} * coalesce(exp(t.size - greatest(t.rank, t.arrival, t.size)), 1) as size
    from {{ ref('stg_factories') }} as f
    cross join {{ ref('int_score_days') }} as d
    left join told as t on f.factory_id = t.factory_id and d.as_of = t.as_of
)

select
    factory_id,
    as_of,
    seen,
    rank / (rank + arrival + size) as by_rank,
    arrival / (rank + arrival + size) as by_arrival,
    size / (rank + arrival + size) as by_size
from weighed
