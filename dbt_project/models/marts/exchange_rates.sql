select
    currency,
    quote_currency,
    rate,
    day as since
from {{ ref('stg_exchange_rates') }}
where day <= {{ business_date() }}
qualify row_number() over (partition by currency, quote_currency order by day desc) = 1
