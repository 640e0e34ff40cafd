{% test size_shares_sum_to_one(model) %}
select merchant_id, style_id, sum(size_share) as share
from {{ model }}
group by merchant_id, style_id
having abs(sum(size_share) - 1) > 1e-9
{% endtest %}
