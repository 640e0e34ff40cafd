-- What a factory's score in a category is made of, in numbers and words.
select
    factory_id,
    category,
    component,
    value::double as value,
    weight::double as weight,
    points::double as points,
    seen::bigint as seen,
    words
from {{ ref('int_factory_components') }}
where as_of = {{ business_date() }}
