{# Scans come in by batches: the files, or parts of files, that one build took in (int_scan_files). What follows from
   scans keeps with each row the batch up to which it has counted, in the transaction that counts: a build that breaks
   off between two models is made up for by the next, model by model. #}

{# Compacted files name what they were merged from. A reader takes them in place of it, whichever is still there. #}
{% macro find_compacted() %}
set variable compacted = (
    select list(file) from glob('{{ var("landing") }}/scans/[c_]*.parquet')
    where starts_with(parse_filename(file), 'compacted-') or parse_filename(file) = '_empty.parquet'
);
create or replace temp table scan_sources as
select
    file_name as landed_file,
    unnest(from_json(decode(value), '["VARCHAR"]')) as source
from parquet_kv_metadata(getvariable('compacted'))
where decode(key) = 'c2m.sources';
update scan_sources set source = regexp_replace(landed_file, '[^/]*$', source)
{% endmacro %}

{# Files of scans, and of what takes scans back: a correction makes a batch as a scan does. #}
{% macro landed_scan_files() -%}
(
    select file from glob([
        {%- for folder in ('scans', 'scan_corrections', 'scan_set_asides') %}
            '{{ var("landing") }}/{{ folder }}/[!.]*.parquet'{{ ',' if not loop.last }}
        {%- endfor %}
    ])
)
{%- endmacro %}

{# All begins anew where this cannot be what a build from nothing gives: rows from beyond the cut-off (a replay), hashes
   of another DuckDB, a compacted file of which only a part had been taken in, a file that was set aside. #}
{% macro forget_scan_files() %}
{% if is_incremental() %}
delete from {{ this }}
where exists (select 1 from {{ this }} as t where t.last_received_at >= {{ cut_off() }} or t.engine != version())
    or exists (
        select 1
        from scan_sources as s
        left join {{ this }} as t on s.source = t.landed_file and t.complete
        where s.landed_file not in (select landed_file from {{ this }})
        group by s.landed_file
        having count(t.landed_file) not in (0, count(*))
    )
    or exists (
        select 1 from {{ this }} as t
        where t.replaced_by is null
            and t.landed_file not in (select file from {{ landed_scan_files() }})
            and t.landed_file not in (select source from scan_sources)
    )
{% endif %}
{% endmacro %}

{# Files of which something is to be taken in, seen from their names alone. #}
{% macro find_scan_files() %}
set variable scan_files = (
    select list(file) from {{ landed_scan_files() }}
    where file not in (select source from scan_sources)
    {% if is_incremental() %}
        and file not in (select landed_file from {{ this }} where complete)
    {% endif %}
)
{% endmacro %}

{% macro replace_compacted() %}
{% if is_incremental() %}
update {{ this }} set replaced_by = s.landed_file
from scan_sources as s
where {{ this.identifier }}.landed_file = s.source and replaced_by is null
{% endif %}
{% endmacro %}

{# A model whose batches are not those of int_scan_files begins anew, and so does one that has not counted a file that
   was compacted since. `scans_done` is the batch up to which it has counted. #}
{% macro begin_batches() %}
{% if is_incremental() %}
delete from {{ this }}
where (select max(batch) from {{ this }}) not in (select batch from {{ ref('int_scan_files') }})
    or (select max(batch) from {{ this }}) < (
        select max(batch) from {{ ref('int_scan_files') }} where replaced_by is not null
    )
{% endif %}
{% endmacro %}

{% macro fix_done() %}
set variable scans_done =
{% if is_incremental() %} (select coalesce(max(batch), 0) from {{ this }}) {% else %} 0 {% endif %}
{% endmacro %}

{% macro scans_done() %}coalesce(cast(getvariable('scans_done') as bigint), 0){% endmacro %}

{# The files of `where`, over int_scan_files as f. A list that is constant when the query is planned keeps DuckDB from
   opening any other file. #}
{% macro fix_files(where) %}
set variable scan_files = (
    select coalesce(list(distinct coalesce(f.replaced_by, f.landed_file)), [])
    from {{ ref('int_scan_files') }} as f
    where {{ where }}
)
{% endmacro %}

{# Landed scans with their batch, out of `scan_files`; a unit test, which sets no variable, gives all. #}
{% macro scans_of_files() -%}
(
    select s.*, f.file_no, f.batch
    from {{ ref('stg_scans') }} as s
    inner join {{ ref('int_scan_files') }} as f
        on s.landed_file = f.landed_file and s.received_at >= f.received_from and s.received_at < f.received_to
    where
        f.replaced_by is null
        and coalesce(list_contains(cast(getvariable('scan_files') as varchar[]), s.landed_file), true)
)
{%- endmacro %}

{# After a recount all slots of a factory are new; what was made of the old ones goes. #}
{% macro forget_recounted() %}
{% if is_incremental() %}
delete from {{ this }}
where factory_id in (
    select factory_id from {{ ref('int_scan_slots') }} group by factory_id having min(batch) > {{ scans_done() }}
)
{% endif %}
{% endmacro %}

{# An hour is one of the wall clock of `zone`; UTC tells the two of a clock that is set back apart. #}
{% macro hour_at(slot, zone) -%}
{{ slot }} - to_minutes(date_part('minute', {{ wall_clock(slot, zone) }}))
{%- endmacro %}

{# Slots with new scans, and those of job orders that were not known yet when their scans came. A union, not an `or`:
   both parts then read a few of the row groups. #}
{% macro touched_slots() -%}
(
    select factory_id, line_id, slot from {{ ref('int_scan_slots') }}
    where batch > {{ scans_done() }}
    union all
    select s.factory_id, s.line_id, s.slot
    from {{ ref('int_scan_slots') }} as s
    inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id
    where {{ is_newly_known('j') }}
)
{%- endmacro %}

{# Whether a job order was not known yet when {{ this }} was last built. #}
{% macro is_newly_known(job) %}{{ job }}.known_since >= (select max(t.cut_off) from {{ this }} as t){% endmacro %}

{# No day with a touched slot, in whichever zone, begins before `earliest`: a constant, which keeps DuckDB from reading
   what was before. #}
{% macro fix_earliest() %}
set variable earliest = {% if is_incremental() %}(
    select min(slot) - interval 2 days from {{ touched_slots() }}
){% else %}null{% endif %}
{% endmacro %}

{% macro earliest() %}coalesce(cast(getvariable('earliest') as timestamp), timestamp '-infinity'){% endmacro %}

{# Factories of which a scan was counted that is superseded now: one received earlier, with other content, landed later,
   or one that takes it back. They are counted anew, whole; there are few of them. #}
{% macro find_recounted() %}
set variable recounted = {% if not is_incremental() %}cast(null as varchar[]){% else %}(
    with several as (
        select
            factory_id,
            arg_min(content, place) as now_first,
            arg_min(content, place) filter (where batch <= {{ scans_done() }}) as was_first
        from (
            select
                *,
                (
                    job_order_id, sku_id, operation, line_id, quantity, defects, clock_ahead, scanned_at,
                    {{ is_late() }}
                ) as content,
                row_number() over (partition by factory_id, scan_id order by {{ first_received() }}) as place
            from {{ ref('int_scan_repeats') }}
            where key_hash in (
                select r.key_hash from {{ ref('int_scan_repeats') }} as r where r.batch > {{ scans_done() }}
            )
        )
        group by factory_id, scan_id
    ),

    changed as (
        select factory_id from several
        where was_first is distinct from now_first and was_first is not null
        union all
        select factory_id from {{ ref('int_scan_corrections') }}
        where batch > {{ scans_done() }} and (is_set_aside or scan_batch <= {{ scans_done() }})
    )

    select list(distinct factory_id) from changed
){% endif %}
{% endmacro %}

{% macro forget_superseded() %}
{% if is_incremental() %}
delete from {{ this }} where list_contains(getvariable('recounted'), factory_id)
{% endif %}
{% endmacro %}

{# Of the deliveries of one scan, the first counts; content breaks a tie the same way every time. #}
{% macro first_received() -%}
received_at, scanned_at, quantity, defects, job_order_id, sku_id, operation, line_id
{%- endmacro %}

{# Scans with the right values of those that were taken back. #}
{% macro corrected(scans) -%}
(
    select
        s.* replace (
            coalesce(c.quantity, s.quantity) as quantity,
            coalesce(c.defects, s.defects) as defects
        )
    from {{ scans }} as s
    left join {{ ref('int_scan_corrections') }} as c
        on s.factory_id = c.factory_id and s.scan_id = c.corrects and c.state = 'holds'
)
{%- endmacro %}

{# Standard minutes per piece of an operation; shipping has none. #}
{% macro sam_minutes(operation, lot) -%}
case if({{ lot }}.operations is null, {{ operation }}, 'routed')
    when 'routed'
        then coalesce(cast({{ lot }}.operations ->> ('/' || {{ operation }} || '/sam_minutes') as double), 0)
    when 'cut' then {{ lot }}.sam_cut_minutes
    when 'sew' then {{ lot }}.sam_sew_minutes
    when 'finish' then {{ lot }}.sam_finish_minutes
    when 'inspect' then {{ lot }}.sam_inspect_minutes
    when 'pack' then {{ lot }}.sam_pack_minutes
    else 0
end
{%- endmacro %}

{# A UTC timestamp on the wall clock of `zone`, and back. #}
{% macro wall_clock(moment, zone) %}({{ moment }} at time zone 'UTC' at time zone {{ zone }}){% endmacro %}

{% macro utc(moment, zone) %}(({{ moment }}) at time zone {{ zone }} at time zone 'UTC'){% endmacro %}

{# A slot so long before its job order's release that the clock must be wrong. #}
{% macro is_early(slot, released_at) -%}
coalesce({{ slot }} < {{ released_at }} - to_hours({{ var('scan_early_hours') }}), false)
{%- endmacro %}

{# Whether scans of the factory are counted anew, whole; see find_recounted. #}
{% macro is_recounted() -%}
coalesce(list_contains(cast(getvariable('recounted') as varchar[]), factory_id), false)
{%- endmacro %}

{% macro is_late() %}received_at > scanned_at + to_minutes({{ var('scan_late_minutes') }}){% endmacro %}
