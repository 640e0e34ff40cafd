{# Rows of the files that were taken in, against keys. Mend it by a build with --full-refresh. #}
{% test every_landed_scan_has_a_key(model) %}
with landed as (
    select count(*) as scans
    from {{ ref('stg_scans') }} as s
    inner join {{ ref('int_scan_files') }} as f
        on s.landed_file = f.landed_file and s.received_at >= f.received_from and s.received_at < f.received_to
    where f.replaced_by is null
),

kept as (select count(*) as scans from {{ model }})

select landed.scans as landed, kept.scans as kept
from landed cross join kept
where landed.scans != kept.scans
{% endtest %}
