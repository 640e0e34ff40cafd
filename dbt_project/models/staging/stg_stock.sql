-- A snapshot's key holds its moment; a later known_at of the same moment is a recount.
select
    merchant_id,
    sku_id,
    location_id,
    as_of,
    on_hand
from {{ source('landing', 'stock') }}
where known_at < {{ cut_off() }} and as_of < {{ cut_off() }}
qualify {{ latest('merchant_id, sku_id, location_id, as_of') }}
