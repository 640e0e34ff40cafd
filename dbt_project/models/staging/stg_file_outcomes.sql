-- Not cut off: what became of a file is a fact of operations, whatever day is replayed. A file that was seen and then
-- finished has two rows.
select
    batch_id,
    feed,
    tenant,
    file,
    file_sha256,
    mapping,
    rows_in,
    accepted,
    quarantined,
    duplicates,
    readmitted,
    status,
    problems,
    arrived_at,
    coalesce(left_out, 0) as left_out,
    coalesce(notes, '') as notes
from {{ source('landing', 'file_outcomes') }}
qualify row_number() over (partition by batch_id order by arrived_at desc, status desc) = 1
