-- What each style, each design, and each material that is made of others, is made of at every depth. A path that meets
-- a material again is a circle and ends there. `is_bought`: the part has no bill of its own.
with recursive part as (
    select
        merchant_id,
        parent_kind,
        parent_id,
        colour,
        attribute,
        material_id,
        unit,
        counted_in,
        quantity,
        [material_id] as path,
        parent_kind = 'material' and material_id = parent_id as is_circle
    from {{ ref('int_bill_lines') }}
    union all
    select
        p.merchant_id,
        p.parent_kind,
        p.parent_id,
        p.colour,
        p.attribute,
        b.material_id,
        b.unit,
        b.counted_in,
        p.quantity * b.quantity as quantity,
        list_append(p.path, b.material_id) as path,
        list_contains(p.path, b.material_id)
        or (p.parent_kind = 'material' and b.material_id = p.parent_id) as is_circle
    from part as p
    inner join {{ ref('int_bill_lines') }} as b
        on p.merchant_id = b.merchant_id and p.material_id = b.parent_id and b.parent_kind = 'material'
    where not p.is_circle
)

select
    p.*,
    not exists (
        from {{ ref('int_bill_lines') }} as b
        where b.parent_kind = 'material' and b.merchant_id = p.merchant_id and b.parent_id = p.material_id
    ) as is_bought
from part as p
