-- Standard minutes earned over those planned, per factory and day, on the lines that were busy all day: days between a
-- job order's first and last scan on the line. A line that waits for work says nothing about its speed. The yield
-- accounts for defects. Rows of a craft are its part of that, by standard minutes: a day of a line tells of each of its
-- crafts alike, in the share that it had in the day's work.
with scanned as (
    select
        s.factory_id,
        s.line_id,
        s.job_order_id,
        l.category,
        l.operations ->> ('/' || s.operation || '/craft') as craft,
        cast({{ wall_clock('s.slot', 'f.timezone') }} as date) as day,
        f.lines,
        (s.pieces + s.defects) * {{ sam_minutes('s.operation', 'l') }} as minutes
    from {{ ref('int_scan_slots') }} as s
    inner join {{ ref('int_job_orders') }} as j on s.job_order_id = j.job_order_id and s.factory_id = j.factory_id
    inner join {{ ref('stg_ledger_lots') }} as l on j.lot_id = l.lot_id
    inner join {{ ref('stg_factories') }} as f on s.factory_id = f.factory_id
    where s.line_id is not null and not {{ is_early('s.slot', 'j.released_at') }}
),

busy as (
    select s.factory_id, s.line_id, s.category, c.day, c.minutes / s.lines as paid_minutes
    from (
        select factory_id, line_id, job_order_id, category, lines, min(day) as first_day, max(day) as last_day
        from scanned
        group by factory_id, line_id, job_order_id, category, lines
    ) as s
    inner join {{ ref('stg_factory_calendar') }} as c
        on s.factory_id = c.factory_id and s.first_day < c.day and s.last_day > c.day and c.minutes > 0
    qualify row_number() over (partition by s.factory_id, s.line_id, c.day order by s.job_order_id) = 1
),

earned as (
    select factory_id, line_id, day, sum(minutes) as minutes
    from scanned
    group by factory_id, line_id, day
),

lines as (
    select
        b.factory_id,
        b.line_id,
        b.day,
        b.paid_minutes,
        coalesce(e.minutes, 0) as earned_minutes,
        b.paid_minutes * p.efficiency as planned_minutes
    from busy as b
    left join earned as e on b.factory_id = e.factory_id and b.line_id = e.line_id and b.day = e.day
    inner join {{ ref('stg_factory_capabilities') }} as p
        on b.factory_id = p.factory_id and p.kind = 'category' and b.category = p.name
),

crafts as (
    select factory_id, line_id, day, craft, sum(minutes) as minutes
    from scanned
    where craft is not null
    group by factory_id, line_id, day, craft
)

select
    factory_id,
    null::varchar as craft,
    day,
    sum(earned_minutes) as earned_minutes,
    sum(paid_minutes) as paid_minutes,
    sum(planned_minutes) as planned_minutes
from lines
group by factory_id, day
union all
select
    l.factory_id,
    c.craft,
    l.day,
    sum(c.minutes) as earned_minutes,
    sum(l.paid_minutes * c.minutes / l.earned_minutes) as paid_minutes,
    sum(l.planned_minutes * c.minutes / l.earned_minutes) as planned_minutes
from lines as l
inner join crafts as c on l.factory_id = c.factory_id and l.line_id = c.line_id and l.day = c.day
where c.minutes > 0
group by l.factory_id, c.craft, l.day
