-- Both ways round: what one currency is worth in the other, from a day on.
with told as (
    select currency, quote_currency, day, cast(rate as double) as rate
    from {{ source('landing', 'exchange_rates') }}
    where known_at < {{ cut_off() }}
    qualify {{ latest('currency, quote_currency, day') }}
)

select currency, quote_currency, day, rate from told
union all
select t.quote_currency as currency, t.currency as quote_currency, t.day, 1 / t.rate as rate
from told as t
anti join told as inverse
    on t.quote_currency = inverse.currency and t.currency = inverse.quote_currency and t.day = inverse.day
