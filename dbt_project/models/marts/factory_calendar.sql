select * from {{ ref('stg_factory_calendar') }}
