-- Who sells which material now, at what terms; the terms that contradict each other are in material_faults.
select
    m.supplier_id,
    m.material_id,
    s.country,
    m.currency,
    m.price_breaks,
    m.pack,
    m.lead_days,
    m.capacity_per_week,
    s.audit_score,
    s.capacity_per_week as supplier_capacity_per_week,
    s.currency as order_cost_currency,
    cast(m.price as double) as price,
    cast(s.order_cost as double) as order_cost,
    greatest(m.pack, coalesce(m.minimum_order, 0)) as minimum_order,
    coalesce(s.certificates, '') as certificates
from {{ ref('stg_supplier_materials') }} as m
inner join {{ ref('stg_suppliers') }} as s on m.supplier_id = s.supplier_id
where
    m.status = 'active'
    and s.status = 'active'
    and not coalesce(greatest(m.pack, m.minimum_order) > s.capacity_per_week, false)
