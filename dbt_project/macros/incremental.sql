{# Before an incremental model: a table that has seen rows from beyond the cut-off is of a later day, and the version
   that held then cannot be taken back out of it. It is emptied, in the transaction of the build, and so rebuilt: a
   replay gives what a full build gives. #}
{% macro forget_replayed(moment) %}
{% if is_incremental() %}
delete from {{ this }} where exists (select 1 from {{ this }} as built where built.{{ moment }} >= {{ cut_off() }})
{% endif %}
{% endmacro %}

{# What an incremental model has not taken in: rows of files that it has not seen (new ones, late backfills), and of
   those that it has, rows that lay beyond the last cut-off. Files are immutable; one whose rows were all superseded is
   read again, which changes nothing. #}
{% macro not_built(moment) -%}
(
    {{ moment }} >= (select coalesce(max({{ moment }}), timestamp '-infinity') from {{ this }})
    or landed_file not in (select landed_file from {{ this }})
)
{%- endmacro %}
