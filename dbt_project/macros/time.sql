{% macro cut_off() %}timestamp '{{ var("cut_off") }}'{% endmacro %}

{% macro business_date() %}date '{{ var("business_date") }}'{% endmacro %}

{# The date in the platform's zone of a UTC timestamp. #}
{% macro local_date(moment) -%}
cast(({{ moment }}) at time zone 'UTC' at time zone '{{ var("timezone") }}' as date)
{%- endmacro %}
