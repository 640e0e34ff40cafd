-- Pieces that factories shipped: `quantity` counts, `surplus` does not. Beyond what was agreed and is tolerated pieces
-- are surplus, and so is all that is shipped of a job order on which, by scans and the factory's word, no work began.
-- What goes to the next stage of a lot is no shipment yet (hand_overs). They arrive the days in transit after the day,
-- in the factory's zone, on which they were scanned.
with transit as (
    select order_id, factory_id, max(transit_days) as days
    from {{ ref('stg_ledger_promise_factories') }}
    group by order_id, factory_id
),

worked as (
    select distinct job_order_id
    from {{ ref('int_job_order_pieces') }}
    where operation not in ('receive', 'ship') and pieces + defects > 0
),

shipped as (
    select
        o.merchant_id,
        o.source,
        j.order_id,
        j.lot_id,
        s.job_order_id,
        s.factory_id,
        s.sku_id,
        s.scan_id,
        s.scanned_at,
        s.quantity,
        {{ local_date('s.scanned_at') }} as shipped_on,
        cast({{ wall_clock('s.scanned_at', 'f.timezone') }} as date) + coalesce(t.days, 0) as arrives_on,
        sum(s.quantity) over (
            partition by s.job_order_id, s.sku_id order by s.scanned_at, s.scan_id rows unbounded preceding
        ) as shipped_pieces,
        if(
            j.state in ('Running', 'Interrupted', 'Ended') or w.job_order_id is not null,
            floor(coalesce(k.quantity, 0) * (1 + o.tolerance_share) + 1e-9),
            0
        ) as most_pieces
    from {{ ref('int_scans') }} as s
    inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
    inner join {{ ref('stg_ledger_orders') }} as o on j.order_id = o.order_id
    left join {{ ref('stg_ledger_job_order_skus') }} as k on s.job_order_id = k.job_order_id and s.sku_id = k.sku_id
    left join {{ ref('stg_factories') }} as f on s.factory_id = f.factory_id
    left join transit as t on j.order_id = t.order_id and s.factory_id = t.factory_id
    left join worked as w on s.job_order_id = w.job_order_id
    where s.operation = 'ship' and j.stage = j.stages
),

counted as (
    select
        *,
        cast(greatest(least(quantity, most_pieces - (shipped_pieces - quantity)), 0) as bigint) as counted_pieces
    from shipped
)

select
    merchant_id,
    source,
    order_id,
    lot_id,
    job_order_id,
    factory_id,
    sku_id,
    scan_id,
    scanned_at,
    shipped_on,
    counted_pieces as quantity,
    quantity - counted_pieces as surplus,
    coalesce(arrives_on, shipped_on) as arrives_on
from counted
