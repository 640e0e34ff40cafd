-- When each factory was first heard of.
select factory_id, min(known_at) as since
from {{ source('landing', 'factories') }}
where known_at < {{ cut_off() }}
group by factory_id
