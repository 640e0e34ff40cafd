select * from {{ ref('stg_file_outcomes') }}
