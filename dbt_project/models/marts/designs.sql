-- Designs as they hold, with what they have become: a style of the catalogue with the same code comes from the design.
select
    d.merchant_id,
    d.design_id,
    d.category,
    d.price,
    d.currency,
    d.crafts,
    d.sam_cut_minutes,
    d.sam_sew_minutes,
    d.sam_finish_minutes,
    d.sam_inspect_minutes,
    d.sam_pack_minutes,
    d.routing,
    d.bill_of_materials,
    d.attributes,
    d.colours,
    d.sizes,
    d.test_pieces,
    s.released_on,
    s.first_sold_on,
    d.known_at,
    coalesce(d.design_name, d.design_id) as design_name,
    case
        when s.first_sold_on is not null then 'on sale'
        when s.style_id is not null then 'style'
        else d.status
    end as state
from {{ ref('stg_designs') }} as d
left join {{ ref('styles') }} as s on d.merchant_id = s.merchant_id and d.design_id = s.style_id
