select
    factory_id,
    line_id,
    day,
    hour_at,
    scans,
    cut_pieces,
    sew_pieces,
    finish_pieces,
    inspect_pieces,
    pack_pieces,
    ship_pieces,
    earned_minutes,
    lost_minutes,
    gap_minutes,
    first_scan_at,
    last_scan_at,
    cut_defects + sew_defects + finish_defects + inspect_defects + pack_defects + ship_defects as defects
from {{ ref('int_line_hours') }}
where day >= {{ business_date() }} - {{ var('line_days') }}
