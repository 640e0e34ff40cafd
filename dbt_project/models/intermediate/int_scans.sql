-- Each scan once, with its right values where it was taken back. A key whose hash never came again stands alone; the
-- few whose hash did are told apart by their text.
with each_once as (
    select
        s.factory_id,
        s.scan_id,
        s.job_order_id,
        s.sku_id,
        s.operation,
        s.quantity,
        s.defects,
        s.line_id,
        s.clock_ahead,
        s.scanned_at,
        s.received_at,
        s.landed_file
    from {{ ref('stg_scans') }} as s
    inner join {{ ref('int_scan_files') }} as f
        on s.landed_file = f.landed_file and s.received_at >= f.received_from and s.received_at < f.received_to
    where f.replaced_by is null and s.key_hash not in (select r.key_hash from {{ ref('int_scan_repeats') }} as r)
    union all
    select
        factory_id,
        scan_id,
        job_order_id,
        sku_id,
        operation,
        quantity,
        defects,
        line_id,
        clock_ahead,
        scanned_at,
        received_at,
        landed_file
    from {{ ref('int_scan_repeats') }}
    where is_first
)

select * from {{ corrected('each_once') }}
