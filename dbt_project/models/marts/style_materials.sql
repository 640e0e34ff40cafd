-- Materials that are bought for a piece of a style, from its bill down to what has no bill of its own. A style whose
-- bill has a fault is left out whole: half of its material makes nothing (material_faults).
select
    p.merchant_id,
    p.parent_id as style_id,
    p.colour,
    p.material_id,
    any_value(p.counted_in) as unit,
    sum(p.quantity) as quantity
from {{ ref('int_bill_parts') }} as p
where
    p.parent_kind = 'style'
    and p.is_bought
    and not exists (
        from {{ ref('material_faults') }} as f
        where f.merchant_id = p.merchant_id and f.style_id = p.parent_id
    )
group by p.merchant_id, p.parent_id, p.colour, p.material_id
