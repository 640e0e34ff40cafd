-- What the model of aspects that heard a review last says of it.
select
    merchant_id,
    review_id,
    aspect,
    polarity,
    part,
    chance,
    model_version
from {{ source('landing', 'review_aspects') }}
where known_at < {{ cut_off() }}
qualify rank() over (partition by merchant_id, review_id order by known_at desc, model_version desc) = 1
