{# Scans counted = scans landed - further deliveries. Mend it by a build with --full-refresh. #}
{% test every_scan_counts_once(model) %}
with counted as (select coalesce(sum(scans), 0) as scans from {{ model }}),

landed as (select count(*) as scans from {{ ref('int_scan_keys') }}),

further as (select count(*) as scans from {{ ref('int_scan_repeats') }} where not is_first)

select counted.scans as counted, landed.scans as landed, further.scans as further
from counted cross join landed cross join further
where counted.scans != landed.scans - further.scans
{% endtest %}
