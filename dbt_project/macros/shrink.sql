{# (successes + prior x weight) / (trials + weight): little evidence stays near the prior. #}
{% macro shrunk(successes, trials, prior, weight) -%}
(coalesce({{ successes }}, 0) + {{ prior }} * {{ weight }}) / (coalesce({{ trials }}, 0) + {{ weight }})
{%- endmacro %}
