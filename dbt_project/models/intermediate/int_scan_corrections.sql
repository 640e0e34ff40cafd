{{ config(
    materialized='table',
    pre_hook=["{{ fix_files('f.file_no in (select k.file_no from ' ~ ref('int_scan_keys') ~ ' as k where k.key_hash in (
        select c.key_hash from ' ~ ref('stg_scan_corrections') ~ ' as c))') }}"],
) }}

with landed as (
    select c.*, f.batch
    from {{ ref('stg_scan_corrections') }} as c
    inner join {{ ref('int_scan_files') }} as f
        on c.landed_file = f.landed_file and c.received_at >= f.received_from and c.received_at < f.received_to
),

asides as (
    select factory_id, corrects
    from landed
    where is_set_aside
),

-- Each once; a correction that was itself set aside counts no more.
said as (
    select l.*
    from landed as l
    left join asides as a on l.factory_id = a.factory_id and l.scan_id = a.corrects
    where a.corrects is null
    qualify row_number() over (
        partition by l.factory_id, l.is_set_aside, coalesce(l.scan_id, l.corrects)
        order by l.received_at, l.said_at, l.quantity, l.defects, l.corrects, l.job_order_id, l.sku_id, l.operation
    ) = 1
),

scanned as (
    select
        factory_id,
        scan_id,
        job_order_id,
        sku_id,
        operation,
        quantity,
        defects,
        min(batch) over (partition by factory_id, scan_id) as scan_batch
    from {{ scans_of_files() }}
    where key_hash in (select c.key_hash from {{ ref('stg_scan_corrections') }} as c)
    qualify row_number() over (partition by factory_id, scan_id order by {{ first_received() }}) = 1
),

judged as (
    select
        c.*,
        s.quantity as scanned_quantity,
        s.defects as scanned_defects,
        s.scan_batch,
        case
            when s.scan_id is null and (c.factory_id, c.corrects) in (select (d.factory_id, d.scan_id) from said as d)
                then 'refused'
            when s.scan_id is null then 'waits'
            when c.is_set_aside or (c.job_order_id, c.sku_id, c.operation) = (s.job_order_id, s.sku_id, s.operation)
                then 'fits'
            else 'refused'
        end as standing
    from said as c
    left join scanned as s on c.factory_id = s.factory_id and c.corrects = s.scan_id
)

-- Of several the latest holds; what a person set aside stays so.
select
    * exclude (standing),
    case
        when standing != 'fits' then standing
        when row_number() over (
            partition by factory_id, corrects, standing order by is_set_aside desc, said_at desc, scan_id desc
        ) = 1 then 'holds'
        else 'superseded'
    end as state
from judged
