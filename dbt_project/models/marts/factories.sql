-- The feed's columns, and what the factory has shown, shrunk to the priors of dbt_project.yml.
with evidence as (
    select
        factory_id,
        sum(pieces) as pieces,
        sum(defects) as defects,
        sum(accepted) as accepted,
        sum(refused) as refused,
        sum(due) as due,
        sum(on_time) as on_time,
        sum(answers) as answers,
        sum(answer_hours) as answer_hours
    from {{ ref('int_factory_evidence') }}
    group by factory_id
),

speed as (
    select factory_id, sum(earned_minutes / planned_minutes) as ratio, count(*) as days
    from {{ ref('int_factory_speed') }}
    group by factory_id
)

select
    f.*,
    {{ shrunk('e.pieces', 'e.pieces + e.defects', var('prior_yield'), var('prior_yield_pieces')) }} as yield_rate,
    {{ shrunk('v.ratio', 'v.days', var('prior_efficiency'), var('prior_efficiency_days')) }} as efficiency_factor,
    {{ shrunk('e.accepted', 'e.accepted + e.refused', var('prior_acceptance'), var('prior_acceptance_job_orders')) }}
        as acceptance_rate,
    {{ shrunk('e.on_time', 'e.due', var('prior_on_time'), var('prior_on_time_job_orders')) }} as on_time_rate,
    {{ shrunk('e.answer_hours', 'e.answers', var('prior_answer_hours'), var('prior_acceptance_job_orders')) }}
        as answer_hours,
    cast(coalesce(e.pieces, 0) as integer) as pieces_scanned
from {{ ref('stg_factories') }} as f
left join evidence as e on f.factory_id = e.factory_id
left join speed as v on f.factory_id = v.factory_id
