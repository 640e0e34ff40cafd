{# The key of a mart. With millions of rows the index behind a primary key takes longer than all else (5 us a row):
   such marts state their key by this. #}
{% test one_row_per(model, key) %}
select {{ key | join(', ') }}
from {{ model }}
group by {{ key | join(', ') }}
having count(*) > 1
{% endtest %}
