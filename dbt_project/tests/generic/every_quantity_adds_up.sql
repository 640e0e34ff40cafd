{# The SKUs' pieces are the lot's; what they lacked is what the style lacked, the colour's part of it the need. #}
{% test every_quantity_adds_up(model) %}
select q.lot_id
from {{ model }} as q
inner join {{ ref('order_quantity_skus') }} as s on q.lot_id = s.lot_id
group by all
having
    sum(s.quantity) != any_value(q.quantity)
    or abs(sum(s.lacking) - any_value(q.style_lacking)) > 1e-6 * (1 + any_value(q.style_lacking))
    or abs(sum(s.lacking) filter (where s.sku_colour = q.colour) - any_value(q.needed))
    > 1e-6 * (1 + any_value(q.needed))
{% endtest %}
