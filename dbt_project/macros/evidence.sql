{# `is mapping`: a linter that knows no variables sees one row instead. #}

{# The measures of `evidence` as a table: measure, prior, weight, half_life_days, most_a_day (or null). #}
{% macro measures() -%}
(values
{%- if var('evidence') is mapping %}
{%- for name, given in var('evidence').items() %}
    ('{{ name }}', {{ given.prior }}::double, {{ given.weight }}::double, {{ given.half_life_days }}::double,
     {{ given.most_a_day | default('null') }}::double)
    {{- "," if not loop.last }}
{%- endfor %}
{%- else %} ('yield', 1.0, 1.0, 1.0, 1.0){% endif %}
)
{%- endmacro %}

{# Weight of what happened on `day` as of the start of another; what happened the day before counts whole. #}
{% macro decay(day, as_of, half_life_days) -%}
pow(0.5, (date_diff('day', {{ day }}, {{ as_of }}) - 1) / {{ half_life_days }})
{%- endmacro %}

{# (sum + prior x weight) / (count + weight): little evidence stays near the prior. #}
{% macro shrunk(total, number, prior, weight) -%}
(coalesce({{ total }}, 0) + {{ prior }} * {{ weight }}) / (coalesce({{ number }}, 0) + {{ weight }})
{%- endmacro %}

{# The weights of `score_weights` as a table: profile, component, weight; they sum to 1 per profile. #}
{% macro score_weights() -%}
(values
{%- if var('score_weights') is mapping %}
{%- for profile, weights in var('score_weights').items() %}
{%- set outer = loop %}
{%- for component, weight in weights.items() %}
    ('{{ profile }}', '{{ component }}', {{ weight }} / {{ weights.values() | sum }}.0)
    {{- "," if not (loop.last and outer.last) }}
{%- endfor %}
{%- endfor %}
{%- else %} ('apparel', 'quality', 1.0){% endif %}
)
{%- endmacro %}

{% macro score_profile(category) -%}
case {{ category }} when '' then ''
{%- if var('score_profile') is mapping %}
{%- for name, profile in var('score_profile').items() %} when '{{ name }}' then '{{ profile }}'{% endfor %}
{%- endif %} else 'apparel' end
{%- endmacro %}

{# The bands as a table: band, rank (4 the best, null for a trial), order_cap_pieces, exposure_share,
   inspection_share. #}
{% macro bands() -%}
(values
{%- if var('bands') is mapping %}
{%- for name, policy in var('bands').items() %}
    ('{{ name }}', {{ 4 - loop.index0 if policy.score is not none else 'null' }}::integer,
     {{ policy.order_cap_pieces if policy.order_cap_pieces is not none else 'null' }}::integer,
     {{ policy.exposure_share }}::double, {{ policy.inspection_share }}::double){{ "," if not loop.last }}
{%- endfor %}
{%- else %} ('A', 4, null, 1.0, 1.0){% endif %}
)
{%- endmacro %}

{# The band of a score as its rank: 1 (D) and one more for each border that the score reaches. #}
{% macro band_rank(score) -%}
(1
{%- if var('bands') is mapping %}
{%- for name in ('A', 'B', 'C') %} + ({{ score }} >= {{ var('bands')[name].score }})::integer
{%- endfor %}{% endif %})
{%- endmacro %}

{# The band that holds after a list of daily scores, oldest first: it changes once a score is band_margin beyond its
   border. #}
{% macro held_rank(scores) -%}
{%- set held = namespace(rank=band_rank(scores ~ '[1]')) -%}
{%- for day in range(2, (var('band_days') | int) + 1) -%}
{%- set score = scores ~ '[' ~ day ~ ']' -%}
{%- set margin = var('band_margin') | string -%}
{%- set least = 'least(' ~ held.rank ~ ', ' ~ band_rank(score ~ ' + ' ~ margin) ~ ')' -%}
{%- set held.rank = 'greatest(' ~ band_rank(score ~ ' - ' ~ margin) ~ ', ' ~ least ~ ')' -%}
{%- endfor -%}
{{ held.rank }}
{%- endmacro %}

{# What a beginning tells of a manner by which the job order had this place among those waiting: logarithm of its
   chance. #}
{% macro told(place) -%}
ln(case when t.{{ place }} = 1 then 1 - {{ var('manner_slips') }} else {{ var('manner_slips') }} / (t.waiting - 1) end)
{%- endmacro %}

{% macro prior_manner(manner) -%}
{{ var('prior_manners')[manner] if var('prior_manners') is mapping else 1 }}
{%- endmacro %}
