{# Standard minutes of the pieces of a scan, by the lot's minutes for its operation. Pieces that became defects took theirs
   too. #}
{% macro standard_minutes(scan, lot) -%}
({{ scan }}.quantity + {{ scan }}.defects) * case {{ scan }}.operation
    when 'cut' then {{ lot }}.sam_cut_minutes
    when 'sew' then {{ lot }}.sam_sew_minutes
    when 'finish' then {{ lot }}.sam_finish_minutes
    when 'inspect' then {{ lot }}.sam_inspect_minutes
    when 'pack' then {{ lot }}.sam_pack_minutes
    else 0
end
{%- endmacro %}
