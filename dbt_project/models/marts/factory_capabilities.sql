select * from {{ ref('stg_factory_capabilities') }}
