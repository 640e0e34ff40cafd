-- Every date that a merchant was told, and what became of it. Of an order the first date counts: the merchant reckons
-- with it; where a quote became the order, the quoted date. What later plans said of the same pieces is kept beside it.
-- Where the merchant has changed the pieces since, the first date for those that hold now counts.
with makers as (
    select
        plan_id,
        order_id,
        string_agg(factory_id, ';' order by factory_id) as factories
    from {{ ref('stg_ledger_promise_factories') }}
    group by plan_id, order_id
),

told as (
    select
        p.*,
        {{ local_date('p.made_at') }} as made_on,
        m.factories,
        if(p.quoted, 'quote', o.source) as source,
        a.arrived_on,
        a.pieces is null or o.state = 'cancelled' as is_withdrawn,
        p.pieces != coalesce(a.pieces, 0) as is_changed
    from {{ ref('stg_ledger_promises') }} as p
    inner join {{ ref('stg_ledger_orders') }} as o on p.order_id = o.order_id
    left join makers as m on p.plan_id = m.plan_id and p.order_id = m.order_id
    left join {{ ref('int_order_arrivals') }} as a on p.order_id = a.order_id
    where p.made_at is not null
)

select
    plan_id,
    order_id,
    merchant_id,
    source,
    factories,
    pieces::bigint as pieces,
    made_at,
    made_on,
    planned_on,
    promised_on,
    date_diff('day', made_on, promised_on)::integer as days_ahead,
    modelled,
    probability,
    arrived_on,
    case
        when is_withdrawn then 'withdrawn'
        when is_changed then 'changed'
        when arrived_on <= promised_on then 'kept'
        when arrived_on > promised_on or promised_on < {{ business_date() }} then 'broken'
        else 'open'
    end as state,
    not is_withdrawn and not is_changed
    and row_number() over (
        partition by order_id, is_changed order by made_at, plan_id
    ) = 1 as is_first,
    promised_on < {{ business_date() }} as is_due
from told
