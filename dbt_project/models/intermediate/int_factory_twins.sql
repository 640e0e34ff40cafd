-- Active factories that are the place of another active one, known before: the same endpoint, the same name, or the
-- same position (to 11 m) where not both have names of their own.
with marks as (
    select
        f.factory_id,
        k.since,
        nullif(lower(trim(f.factory_code)), '') as name,
        unnest([
            'endpoint ' || lower(rtrim(f.endpoint_url, '/')),
            'name ' || nullif(lower(trim(f.factory_code)), ''),
            'position ' || round(f.latitude, 4) || ' ' || round(f.longitude, 4)
        ]) as mark
    from {{ ref('stg_factories') }} as f
    inner join {{ ref('stg_factories_since') }} as k on f.factory_id = k.factory_id
    where f.status = 'active' and not list_contains({{ var('other_places') }}, f.factory_id)
)

select
    n.factory_id,
    min_by(o.factory_id, (o.since, o.factory_id)) as same_place_as,
    string_agg(distinct split_part(n.mark, ' ', 1), ', ' order by split_part(n.mark, ' ', 1)) as by_what
from marks as n
inner join marks as o on n.mark = o.mark
where
    (o.since, o.factory_id) < (n.since, n.factory_id)
    and (not starts_with(n.mark, 'position') or n.name is null or o.name is null or n.name = o.name)
group by n.factory_id
