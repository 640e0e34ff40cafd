-- What keeps a material from being planned; the rest of the day goes on without it.
with found as (
    select
        merchant_id,
        if(parent_kind = 'style', parent_id, '') as style_id,
        material_id,
        if(is_circle, 'circle', 'unit') as fault,
        parent_kind || ' ' || parent_id || ': ' || if(
            is_circle,
            'its bill of materials is a circle (' || parent_id || ' > ' || array_to_string(path, ' > ')
            || '): take one of these lines away',
            'material ' || material_id || ' is asked for in ' || unit || ' and counted in ' || counted_in
            || ', which do not convert: give the line in another unit, or what a unit weighs or takes up'
        ) as words
    from {{ ref('int_bill_parts') }}
    where (is_circle or quantity is null) and parent_kind <> 'design'
    union all
    select
        '' as merchant_id,
        '' as style_id,
        m.material_id,
        'pack' as fault,
        'supplier ' || m.supplier_id || ': sells material ' || m.material_id || ' in packs of ' || m.pack
        || ' and can deliver ' || s.capacity_per_week || ' a week of all its materials: correct one of the two' as words
    from {{ ref('stg_supplier_materials') }} as m
    inner join {{ ref('stg_suppliers') }} as s on m.supplier_id = s.supplier_id
    where greatest(m.pack, m.minimum_order) > s.capacity_per_week
)

select merchant_id, style_id, material_id, fault, words
from found
group by merchant_id, style_id, material_id, fault, words
