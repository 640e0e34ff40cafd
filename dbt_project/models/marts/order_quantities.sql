-- What the SKUs of the style had together, and what the batch added to the need.
with style as (
    select
        lot_id,
        cast(sum(on_hand) as bigint) as style_on_hand,
        cast(sum(in_transit) as bigint) as style_in_transit,
        cast(sum(on_order) as bigint) as style_on_order
    from {{ ref('stg_ledger_order_quantity_skus') }}
    group by lot_id
)

select
    q.lot_id,
    q.order_id,
    q.merchant_id,
    q.style_id,
    q.colour,
    q.business_date,
    q.build_id,
    q.model_version,
    q.forecast_at,
    q.window_days,
    q.forecast_mean,
    q.q05,
    q.q10,
    q.q20,
    q.q30,
    q.q40,
    q.q50,
    q.q60,
    q.q70,
    q.q80,
    q.q90,
    q.q95,
    q.q975,
    q.price,
    q.cost,
    q.currency,
    q.salvage_share,
    q.holding_share_per_day,
    q.critical_ratio,
    q.level,
    s.style_on_hand,
    s.style_in_transit,
    s.style_on_order,
    q.needed,
    q.trigger_share,
    q.minimum_order_pieces,
    q.lot_quantity as quantity,
    greatest(q.level - s.style_on_hand - s.style_in_transit - s.style_on_order, 0) as style_lacking,
    q.lot_quantity - q.needed as added
from {{ ref('stg_ledger_order_quantities') }} as q
inner join style as s on q.lot_id = s.lot_id
