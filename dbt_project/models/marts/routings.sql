select * from {{ ref('stg_routings') }}
