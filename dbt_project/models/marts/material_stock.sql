-- What is there of each material at the start of the business date: the last count of each place (of the feed stock,
-- under the material's id), received since, less what was cut since. Without a count it starts empty.
with counted as (
    select
        sku_id as material_id,
        sum(on_hand) as on_hand,
        max(as_of) as as_of
    from (
        select * from {{ ref('stg_stock') }}
        where sku_id in (select m.material_id from {{ ref('stg_materials') }} as m)
        qualify row_number() over (partition by merchant_id, sku_id, location_id order by as_of desc) = 1
    )
    group by sku_id
),

received as (
    select r.material_id, sum(r.quantity) as quantity
    from {{ ref('stg_receipts') }} as r
    left join counted as c on r.material_id = c.material_id
    where r.material_id is not null and r.received_at >= coalesce(c.as_of, timestamp '2000-01-01')
    group by r.material_id
),

used as (
    select s.material_id, sum((p.pieces + p.defects) * s.quantity) as quantity
    from {{ ref('int_scan_slots') }} as p
    inner join {{ ref('int_job_orders') }} as j on p.job_order_id = j.job_order_id and p.factory_id = j.factory_id
    inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
    inner join {{ ref('style_materials') }} as s
        on l.merchant_id = s.merchant_id and l.style_id = s.style_id and s.colour in ('', l.colour)
    left join counted as c on s.material_id = c.material_id
    where p.operation = 'cut' and p.slot >= coalesce(c.as_of, timestamp '2000-01-01')
    group by s.material_id
)

select
    m.material_id,
    m.material_code,
    m.material_name,
    m.unit,
    m.kg_per_unit,
    m.m3_per_unit,
    m.attributes,
    cast(greatest(coalesce(c.on_hand, 0) + coalesce(r.quantity, 0) - coalesce(u.quantity, 0), 0) as double) as on_hand,
    cast(coalesce(u.quantity, 0) as double) as used,
    c.as_of
from {{ ref('stg_materials') }} as m
left join counted as c on m.material_id = c.material_id
left join received as r on m.material_id = r.material_id
left join used as u on m.material_id = u.material_id
