select * from {{ ref('stg_lanes') }}
