{# Marts stand in a schema of their own: what is published is that schema, whole. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
{{ custom_schema_name or target.schema }}
{%- endmacro %}
