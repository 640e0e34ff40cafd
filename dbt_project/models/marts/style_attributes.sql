-- Attributes of styles: the JSON of the catalogue unpacked, and the category. Where SKUs differ, that of most demand.
with catalogue as (
    select c.merchant_id, c.style_id, s.size_share, c.category, c.attributes
    from {{ ref('stg_catalogue') }} as c
    inner join {{ ref('skus') }} as s on c.merchant_id = s.merchant_id and c.sku_id = s.sku_id
),

held as (
    select merchant_id, style_id, size_share, attributes, unnest(json_keys(attributes)) as attribute
    from catalogue
    where json_type(attributes) = 'OBJECT'
),

told as (
    select
        merchant_id,
        style_id,
        attribute,
        json_extract_string(attributes, '$."' || attribute || '"') as value,
        sum(size_share) as share
    from held
    where attribute <> 'category' and attribute not like '%"%'
    group by all
    union all
    select merchant_id, style_id, 'category' as attribute, category as value, sum(size_share) as share
    from catalogue
    group by all
)

select merchant_id, style_id, attribute, value
from told
where value <> ''
qualify row_number() over (partition by merchant_id, style_id, attribute order by share desc, value asc) = 1
