-- The days as of whose start scores are told: the last band_days, the business date among them.
select cast(as_of as date) as as_of
from generate_series(
    {{ business_date() }} - ({{ var('band_days') }} - 1), {{ business_date() }}, interval 1 day
) as days (as_of)
