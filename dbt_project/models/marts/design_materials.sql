-- Materials that are bought for a piece of a design, by the attribute that asks for them ('': none does). A design
-- whose bill has a line that does not convert, or a circle, is left out whole.
with part as (
    select *, bool_and(quantity is not null and not is_circle) over (partition by merchant_id, parent_id) as is_whole
    from {{ ref('int_bill_parts') }}
    where parent_kind = 'design'
)

select
    merchant_id,
    parent_id as design_id,
    attribute,
    material_id,
    any_value(counted_in) as unit,
    sum(quantity) as quantity
from part
where is_whole and is_bought
group by merchant_id, parent_id, attribute, material_id
