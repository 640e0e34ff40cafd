{# An incremental model that lost a key, or has one twice. Mend it by a build with --full-refresh. #}
{% test as_many_as_landed(model, landed, key) %}
with landed as (select count(distinct ({{ key | join(', ') }})) as keys from {{ landed }}),

built as (select count(*) as built, count(distinct ({{ key | join(', ') }})) as keys from {{ model }})

select landed.keys as landed, built.built, built.keys
from landed cross join built
where landed.keys != built.keys or built.built != built.keys
{% endtest %}
