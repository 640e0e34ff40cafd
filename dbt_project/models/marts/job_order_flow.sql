-- Pieces wait before an operation once the one before it has passed them, until it passes or loses them. An operation
-- without standard minutes is not in the style's routing: its pieces are passed on by the one before it. Lots whose
-- operations have names of their own are not counted here.
with pieces as (
    select
        p.job_order_id,
        p.factory_id,
        {% for operation in ['cut', 'sew', 'finish', 'inspect', 'pack', 'ship'] -%}
            coalesce(sum(p.pieces) filter (where p.operation = '{{ operation }}'), 0) as {{ operation }}_good,
            coalesce(sum(p.pieces + p.defects) filter (where p.operation = '{{ operation }}'), 0)
                as {{ operation }}_done,
        {% endfor -%}
        sum(p.defects) as defects,
        min(p.first_scan_at) filter (where p.operation = 'cut') as first_cut_at,
        max(p.last_scan_at) filter (where p.operation = 'ship') as last_ship_at
    from {{ ref('int_job_order_pieces') }} as p
    group by p.job_order_id, p.factory_id
),

routed as (
    select
        p.*,
        j.merchant_id,
        j.lot_id,
        j.quantity,
        greatest(p.first_cut_at, j.released_at) as cut_at,
        greatest(p.last_ship_at, j.released_at) as ship_at,
        l.sam_sew_minutes > 0 or p.sew_done > 0 as sews,
        l.sam_finish_minutes > 0 or p.finish_done > 0 as finishes,
        l.sam_inspect_minutes > 0 or p.inspect_done > 0 as inspects,
        l.sam_pack_minutes > 0 or p.pack_done > 0 as packs
    from pieces as p
    inner join {{ ref('int_job_orders') }} as j on p.job_order_id = j.job_order_id and p.factory_id = j.factory_id
    inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
    where l.operations is null
),

passed as (
    select
        *,
        if(sews, sew_good, cut_good) as after_sew,
        if(finishes, finish_good, after_sew) as after_finish,
        if(inspects, inspect_good, after_finish) as after_inspect,
        if(packs, pack_good, after_inspect) as after_pack
    from routed
)

select
    job_order_id,
    factory_id,
    merchant_id,
    lot_id,
    quantity,
    cast(ship_good as bigint) as shipped_pieces,
    cast(defects as bigint) as defects,
    cast(if(sews, cut_good - sew_done, 0) as bigint) as wip_sew,
    cast(if(finishes, after_sew - finish_done, 0) as bigint) as wip_finish,
    cast(if(inspects, after_finish - inspect_done, 0) as bigint) as wip_inspect,
    cast(if(packs, after_inspect - pack_done, 0) as bigint) as wip_pack,
    cast(after_pack - ship_done as bigint) as wip_ship,
    cut_at as first_cut_at,
    ship_at as last_ship_at,
    date_diff('microsecond', cut_at, ship_at) / 3600e6 as cycle_hours
from passed
