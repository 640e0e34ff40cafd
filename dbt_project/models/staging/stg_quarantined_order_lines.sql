-- Lines of orders that lie in quarantine and that nothing has replaced since: not the row itself, corrected or taken in
-- when what it names had come; not a later row of the line, be it in quarantine too. A cancelled line lacks nowhere.
with landed as (
    select
        merchant_id,
        order_id,
        sku_id,
        quantity,
        known_at,
        _batch_id as batch_id,
        _record as record,
        coalesce(order_line_id, '#1') as order_line_id
    from {{ source('landing', 'merchant_order_lines') }}
    where known_at < {{ cut_off() }}
),

told as (
    select
        *,
        coalesce(order_line_id, '#1') like '#%' as is_numbered,
        coalesce(bool_or(quantity = 0 or status = 'cancelled') over (partition by batch_id, record), false)
            as is_cancelled
    from {{ source('landing', 'quarantined_order_lines') }}
    where known_at < {{ cut_off() }}
    -- What is brought in again and is still wrong is told again.
    qualify row_number() over (partition by batch_id, record, merchant_id, order_id order by rule, sku_id) = 1
),

-- What is known last of a line by its own id, else of its SKU.
newest as (
    select
        t.*,
        max(t.known_at) over (
            partition by
                t.merchant_id,
                t.order_id,
                if(t.is_numbered, coalesce(t.sku_id, t.record::varchar), t.order_line_id)
        ) as newest_at
    from told as t
    where
        not exists (
            select 1
            from landed as l
            where
                l.batch_id = t.batch_id
                and l.record = t.record
        )
)

select
    n.merchant_id,
    n.order_id,
    n.sku_id,
    n.rule
from newest as n
where
    n.known_at = n.newest_at
    and not n.is_cancelled
    and not exists (
        select 1
        from landed as l
        where
            l.merchant_id = n.merchant_id
            and l.order_id = n.order_id
            and if(n.is_numbered, l.sku_id = n.sku_id, l.order_line_id = n.order_line_id)
            and (
                l.known_at > n.known_at
                -- The same row in another file.
                or (
                    l.known_at = n.known_at
                    and l.order_line_id = n.order_line_id
                    and (not n.is_numbered or l.quantity = n.quantity)
                )
            )
    )
