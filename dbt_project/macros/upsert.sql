{# Of the rows with one key, the latest holds; the content hash breaks a tie the same way every time. #}
{% macro latest(keys, tie="_row_hash") -%}
row_number() over (partition by {{ keys }} order by known_at desc, {{ tie }} desc) = 1
{%- endmacro %}
