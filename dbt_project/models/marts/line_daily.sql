with worked as (
    select
        factory_id,
        line_id,
        day,
        {% for operation in ['cut', 'sew', 'finish', 'inspect', 'pack', 'ship'] -%}
            sum({{ operation }}_pieces) as {{ operation }}_pieces,
            sum({{ operation }}_defects) as {{ operation }}_defects,
        {% endfor -%}
        sum(earned_minutes) as earned_minutes,
        sum(lost_minutes) as lost_minutes,
        sum(gap_minutes) as gap_minutes,
        date_diff('microsecond', min(first_scan_at), max(last_scan_at)) / 60e6 - sum(gap_minutes) as busy_minutes
    from {{ ref('int_line_hours') }}
    where day >= {{ business_date() }} - {{ var('line_days') }}
    group by factory_id, line_id, day
),

-- The calendar pays operators; a line has an equal share of them, whose minutes on the clock are the shift's.
paid as (
    select
        w.*,
        c.minutes / f.lines as paid_minutes,
        c.minutes / f.operators as shift_minutes
    from worked as w
    inner join {{ ref('stg_factories') }} as f on w.factory_id = f.factory_id
    left join {{ ref('stg_factory_calendar') }} as c on w.factory_id = c.factory_id and w.day = c.day and c.minutes > 0
),

timed as (
    select
        *,
        least(busy_minutes, shift_minutes) as run_minutes,
        least(gap_minutes, greatest(shift_minutes - busy_minutes, 0)) as idle_minutes
    from paid
)

select
    factory_id,
    line_id,
    day,
    cast(cut_pieces as bigint) as cut_pieces,
    cast(sew_pieces as bigint) as sew_pieces,
    cast(finish_pieces as bigint) as finish_pieces,
    cast(inspect_pieces as bigint) as inspect_pieces,
    cast(pack_pieces as bigint) as pack_pieces,
    cast(ship_pieces as bigint) as ship_pieces,
    cast(
        cut_defects + sew_defects + finish_defects + inspect_defects + pack_defects + ship_defects as bigint
    ) as defects,
    {% for operation in ['cut', 'sew', 'finish', 'inspect', 'pack', 'ship'] -%}
        coalesce({{ operation }}_pieces / nullif({{ operation }}_pieces + {{ operation }}_defects, 0), 1)
        {%- if not loop.last %} * {% endif %}
    {% endfor %} as first_pass_yield,
    earned_minutes,
    paid_minutes,
    earned_minutes / paid_minutes as efficiency,
    shift_minutes,
    run_minutes,
    idle_minutes,
    run_minutes / shift_minutes as availability,
    (earned_minutes + lost_minutes) / (paid_minutes * nullif(run_minutes, 0) / shift_minutes) as performance,
    earned_minutes / nullif(earned_minutes + lost_minutes, 0) as quality,
    run_minutes / shift_minutes
    * (earned_minutes + lost_minutes) / (paid_minutes * nullif(run_minutes, 0) / shift_minutes)
    * earned_minutes / nullif(earned_minutes + lost_minutes, 0) as oee
from timed
