-- Lines of bills in the unit in which their material is counted, waste included; a quantity of null does not convert.
-- A mass or a volume converts where the material says what a unit of it weighs or takes up.
with unit as (
    select known.unit, known.dimension, known.size
    from (
        values
        ('m', 'length', 1.0), ('cm', 'length', 0.01), ('mm', 'length', 0.001), ('yd', 'length', 0.9144),
        ('in', 'length', 0.0254), ('ft', 'length', 0.3048), ('m2', 'area', 1.0), ('cm2', 'area', 0.0001),
        ('yd2', 'area', 0.83612736), ('kg', 'mass', 1.0), ('g', 'mass', 0.001), ('t', 'mass', 1000.0),
        ('lb', 'mass', 0.45359237), ('oz', 'mass', 0.028349523125), ('m3', 'volume', 1.0), ('l', 'volume', 0.001),
        ('ml', 'volume', 0.000001), ('piece', 'count', 1.0), ('pair', 'count', 2.0), ('dozen', 'count', 12.0),
        ('gross', 'count', 144.0)
    ) as known (unit, dimension, size)
),

-- Of a design each line says which attribute asks for it, where one does.
of_design as (
    select
        merchant_id,
        design_id,
        unnest(
            json_transform(
                bill_of_materials,
                '[{"material_id":"VARCHAR","quantity":"DOUBLE","unit":"VARCHAR","waste_share":"DOUBLE",'
                || '"attribute":"VARCHAR"}]'
            )
        ) as one
    from {{ ref('stg_designs') }}
),

bill as (
    select merchant_id, parent_kind, parent_id, colour, material_id, unit, waste_share, quantity, '' as attribute
    from {{ ref('stg_bill_of_materials') }}
    union all
    select
        merchant_id,
        'design' as parent_kind,
        design_id as parent_id,
        '' as colour,
        one.material_id,
        one.unit,
        coalesce(one.waste_share, 0) as waste_share,
        one.quantity,
        coalesce(one.attribute, '') as attribute
    from of_design
)

select
    b.merchant_id,
    b.parent_kind,
    b.parent_id,
    b.colour,
    b.material_id,
    b.attribute,
    b.unit,
    m.unit as counted_in,
    b.quantity / (1 - b.waste_share) * case
        when b.unit = m.unit then 1
        when u.dimension = c.dimension then u.size / c.size
        when u.dimension = 'mass' then u.size / m.kg_per_unit
        when u.dimension = 'volume' then u.size / m.m3_per_unit
    end as quantity
from bill as b
inner join {{ ref('stg_materials') }} as m on b.material_id = m.material_id
left join unit as u on b.unit = u.unit
left join unit as c on m.unit = c.unit
where b.quantity > 0
