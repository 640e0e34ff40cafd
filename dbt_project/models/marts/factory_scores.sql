-- A factory's rates in a category, shrunk to its rates over all categories, which are shrunk to the platform's priors.
select
    e.factory_id,
    e.category,
    cast(e.pieces as integer) as pieces,
    cast(e.defects as integer) as defects,
    {{ shrunk('e.pieces', 'e.pieces + e.defects', 'f.yield_rate', var('prior_yield_pieces')) }} as yield_rate,
    cast(e.job_orders as integer) as job_orders,
    cast(e.refused as integer) as refused,
    {{ shrunk('e.accepted', 'e.accepted + e.refused', 'f.acceptance_rate', var('prior_acceptance_job_orders')) }}
        as acceptance_rate,
    {{ shrunk('e.on_time', 'e.due', 'f.on_time_rate', var('prior_on_time_job_orders')) }} as on_time_rate
from {{ ref('int_factory_evidence') }} as e
inner join {{ ref('factories') }} as f on e.factory_id = f.factory_id
