{# Logarithm of how much more likely a batch's complaints are if it is bad than if it is like the others. Complaints of
   `exposed` pieces are Poisson; the others' rate is gamma (others, others_exposed), that of a bad batch gamma about
   `worse` times as much. Over days this is the logarithm of a test martingale: of good batches at most a share of
   `false_alarms` ever reaches ln(1 / false_alarms) (Ville's inequality), however often one looks. #}
{% macro batch_evidence(complaints, exposed, others, others_exposed, worse=none) -%}
{%- set worse = worse or (var('complaints').worse if var('complaints') is mapping else 4) -%}
({{ predicted(complaints, exposed, '2.0', '(2.0 / ' ~ worse ~ ') * ' ~ others_exposed ~ ' / ' ~ others) }}
- {{ predicted(complaints, exposed, others, others_exposed) }})
{%- endmacro %}

{# Logarithm of the chance of so many events, but for what both hypotheses share. #}
{% macro predicted(events, exposed, shape, rate) -%}
(lgamma({{ shape }} + {{ events }}) - lgamma({{ shape }})
+ ({{ shape }}) * ln(({{ rate }}) / ({{ rate }} + {{ exposed }}))
+ {{ events }} * ln({{ exposed }} / ({{ rate }} + {{ exposed }})))
{%- endmacro %}

{# Ends of the 90 % interval of a share (Wilson 1927): side -1 or 1. #}
{% macro wilson(hits, number, side) -%}
(({{ hits }} + 1.3528) / ({{ number }} + 2.7055) + {{ side }} * 1.6449 / ({{ number }} + 2.7055)
* sqrt({{ hits }} * ({{ number }} - {{ hits }}) / greatest({{ number }}, 1) + 0.6764))
{%- endmacro %}
