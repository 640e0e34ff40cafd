"""The contract of a plan in SQL: each rule a query whose rows break it, each part of the cost a query of one number.

Tables: the instance's, the plan's, `horizon(days)`. Read by optimization/verification/verifier.py alone;
no constraint of the model and no line of the solver is used here.
"""

# Tables, not views: every rule reads some of them, and each would plan and join them anew.
DERIVED = """
create table finish as
select o.order_id, coalesce(max(s.stage), 1) as last_stage
from orders o left join stages s using (order_id) group by o.order_id;

create table pair as
select a.order_id, a.stage, a.factory_id, a.unit_cost, a.minutes_per_piece, a.min_lot, a.max_lot,
       a.max_minutes_per_day,
       o.due_day, o.quantity as order_quantity,
       coalesce(k.pool_id, a.order_id) as team, k.pool_id is not null as pooled,
       a.stage < e.last_stage as passes_on,
       case when a.stage < e.last_stage then 0 else a.transit_days end as transit_days,
       case when a.stage < e.last_stage then 0 else o.late_cost end as late_cost,
       case when pooled or coalesce(i.setup_done, false) then 0 else a.setup_cost end as setup_cost,
       case when pooled or coalesce(i.setup_done, false) then 0 else a.setup_minutes end as setup_minutes,
       coalesce(i.frozen, false) as frozen, coalesce(i.quantity, 0) as held, coalesce(i.change_cost, 0) as change_cost,
       greatest(1, coalesce(a.release_day, case when a.stage = 1 then o.release_day else 1 end)) as first_day,
       case when coalesce(i.frozen, false) or a.stage < e.last_stage then h.days
            else least(h.days, o.due_day - a.transit_days + o.max_late_days) end as last_day
from arcs a join orders o using (order_id) join finish e using (order_id) left join pools k using (order_id)
left join incumbent i using (order_id, stage, factory_id) cross join horizon h;

create table setup as
select p.team, p.pooled, a.stage, a.factory_id, any_value(a.min_lot) as min_lot, bool_or(p.frozen) as frozen,
       case when bool_or(i.setup_done) then 0 else any_value(a.setup_cost) end as setup_cost,
       case when bool_or(i.setup_done) then 0 else any_value(a.setup_minutes) end as setup_minutes
from arcs a join pair p using (order_id, stage, factory_id) left join incumbent i using (order_id, stage, factory_id)
group by all;

create table served as
select o.order_id, o.quantity, o.quantity - coalesce(sum(a.quantity), 0) as unmet
from orders o join finish e using (order_id)
left join allocation a on a.order_id = o.order_id and a.stage = e.last_stage group by o.order_id, o.quantity;

create view work as
select s.order_id, s.stage, s.factory_id, s.day, s.setup_minutes, s.run_minutes,
       s.setup_minutes + s.run_minutes as minutes
from schedule s;

create table load as
select w.factory_id, w.day, w.minutes, coalesce(c.minutes, 0) as regular_minutes,
       coalesce(c.overtime_minutes, 0) as overtime_minutes, coalesce(c.overtime_cost, 0) as overtime_cost
from (select factory_id, day, sum(minutes) as minutes from work group by all) w
left join capacity c using (factory_id, day);
"""

RULES = {
    "known-pair": "select a.* from allocation a anti join pair p using (order_id, stage, factory_id)",
    "one-row-per-pair": "select order_id, stage, factory_id, count(*) as n from allocation group by all having n > 1",
    "one-row-per-day": """select order_id, stage, factory_id, day, count(*) as n from schedule
        group by all having n > 1""",
    "whole-pieces": """select * from allocation
        where not (isfinite(quantity) and quantity > 0 and quantity = floor(quantity))""",
    "order-quantity": "select * from served where unmet < 0",
    "min-lot": """select a.*, p.min_lot from allocation a join pair p using (order_id, stage, factory_id)
        where a.quantity < p.min_lot and not p.frozen and not p.pooled""",
    "max-lot": """select a.*, p.max_lot from allocation a join pair p using (order_id, stage, factory_id)
        where a.quantity > p.max_lot""",
    "max-factories": """select a.order_id, a.stage, count(*) as factories,
            any_value(o.max_factories) as max_factories, count(*) filter (p.frozen and p.held > 0) as frozen_factories
        from allocation a join pair p using (order_id, stage, factory_id) join orders o using (order_id)
        group by a.order_id, a.stage having factories > greatest(any_value(o.max_factories), frozen_factories)""",
    "frozen-kept": """select p.order_id, p.stage, p.factory_id, p.held as frozen_pieces,
            coalesce(a.quantity, 0) as quantity
        from pair p left join allocation a using (order_id, stage, factory_id)
        where p.frozen and coalesce(a.quantity, 0) < p.held""",
    "finite-minutes": """select * from schedule where not (isfinite(setup_minutes) and isfinite(run_minutes)
        and setup_minutes >= 0 and run_minutes >= 0)""",
    "scheduled-pair-allocated": """select w.order_id, w.stage, w.factory_id, sum(w.minutes) as minutes
        from work w anti join allocation a using (order_id, stage, factory_id)
        group by all having sum(w.minutes) > 1e-6""",
    "window": """select w.*, p.first_day, p.last_day from work w join pair p using (order_id, stage, factory_id)
        where w.minutes > 1e-6 and w.day not between p.first_day and p.last_day""",
    "max-minutes-per-day": """select w.*, p.max_minutes_per_day
        from work w join pair p using (order_id, stage, factory_id) where w.minutes > p.max_minutes_per_day + 1e-6""",
    "run-minutes": """select a.*, a.quantity * p.minutes_per_piece as needed,
            coalesce(sum(w.run_minutes), 0) as scheduled
        from allocation a join pair p using (order_id, stage, factory_id)
        left join work w using (order_id, stage, factory_id)
        group by all having abs(needed - scheduled) > 1e-6 + 1e-12 * needed""",
    "setup-minutes": """select p.team, p.pooled, p.stage, p.factory_id, any_value(s.setup_minutes) as needed,
            coalesce(sum(w.setup_minutes), 0) as scheduled
        from allocation a join pair p using (order_id, stage, factory_id)
        join setup s using (team, pooled, stage, factory_id) left join work w using (order_id, stage, factory_id)
        group by p.team, p.pooled, p.stage, p.factory_id having abs(needed - scheduled) > 1e-6""",
    "setup-before-run": """select * from (
            select w.*, s.setup_minutes as needed, sum(w.setup_minutes) over (
                partition by p.team, p.pooled, p.stage, p.factory_id order by w.day) as done
            from work w join pair p using (order_id, stage, factory_id)
            join setup s using (team, pooled, stage, factory_id))
        where run_minutes > 1e-6 and done < needed - 1e-6""",
    "capacity": """select * from load where minutes > regular_minutes + overtime_minutes + 1e-6""",
    "finite-price": "select * from prices where not isfinite(price)",
}

COST = {
    "unit": """select coalesce(sum(p.unit_cost * a.quantity), 0)
        from allocation a join pair p using (order_id, stage, factory_id)""",
    "setup": """select coalesce(sum(setup_cost), 0) from setup semi join (
            select p.team, p.pooled, p.stage, p.factory_id
            from allocation a join pair p using (order_id, stage, factory_id))
        using (team, pooled, stage, factory_id)""",
    "engagement": "select coalesce(sum(engagement_cost), 0) from factories semi join allocation using (factory_id)",
    "overtime": "select coalesce(sum(overtime_cost * greatest(0, minutes - regular_minutes)), 0) from load",
    "late": """select coalesce(sum(p.late_cost * w.run_minutes / p.minutes_per_piece
            * greatest(0, w.day + p.transit_days - p.due_day)), 0)
        from work w join pair p using (order_id, stage, factory_id)""",
    "unmet": "select coalesce(sum(s.unmet * o.unmet_cost), 0) from served s join orders o using (order_id)",
    "shortfall": """select coalesce(sum(f.shortfall_cost * greatest(0, f.target_minutes - coalesce(l.minutes, 0))), 0)
        from factories f
        left join (select factory_id, sum(minutes) as minutes from load group by all) l using (factory_id)""",
    "change": """select coalesce(sum(i.change_cost * greatest(0, i.quantity - coalesce(a.quantity, 0))), 0)
        from incumbent i left join allocation a using (order_id, stage, factory_id)""",
}

# Capacity is priced, and all else that ties orders together is left out. Each order then takes the pieces that save
# most against leaving them unmet: a pair's setup is spread over the most pieces that it can make (over the fewest where
# a price is negative), pieces that an incumbent has save its change cost too, frozen pieces are made whatever they
# save. What an order saves is the less of two: its best pieces up to its quantity, its best max_factories pairs (frozen
# ones counted), each at its most. Each factory offers the minutes that pay best, pays for being engaged if it offers
# any, and for a shortfall.
LAGRANGIAN_BOUND = """
with priced as (
    select c.*, coalesce(q.price, 0) as price from capacity c left join prices q using (factory_id, day)
    where c.minutes + c.overtime_minutes > 0 and c.day <= (select days from horizon)),
sized as (
    select p.order_id, p.factory_id, any_value(p.frozen) as frozen, any_value(p.held) as held,
           any_value(p.change_cost) as change_cost, any_value(p.setup_cost) as setup_cost,
           case when any_value(p.frozen) then any_value(p.held) else 0 end as kept,
           case when any_value(p.frozen) then any_value(p.held) else any_value(p.min_lot) end as fewest,
           least(any_value(p.max_lot), any_value(p.order_quantity), floor(1e-6 + (
               sum(least(p.max_minutes_per_day, d.minutes + d.overtime_minutes)) - any_value(p.setup_minutes)
               ) / any_value(p.minutes_per_piece))) as most
    from pair p join priced d on d.factory_id = p.factory_id and d.day between p.first_day and p.last_day
    group by p.order_id, p.factory_id),
saving as (
    select s.order_id, s.factory_id, any_value(s.frozen) as frozen, any_value(s.kept) as kept,
           any_value(s.change_cost) as change_cost, any_value(s.setup_cost) as setup_cost,
           greatest(any_value(s.most), any_value(s.kept)) as most,
           case when any_value(s.frozen) then 0 else least(any_value(s.held), any_value(s.most)) end as returned,
           any_value(o.unmet_cost) - any_value(p.unit_cost)
             - case when any_value(s.kept) > 0 then 0 else any_value(s.setup_cost) / any_value(s.most) end
             - min((p.minutes_per_piece + p.setup_minutes
                   / case when d.price >= 0 then greatest(1, s.most) else greatest(1, s.fewest) end) * d.price
                   + p.late_cost * greatest(0, d.day + p.transit_days - p.due_day)) as saved
    from sized s join pair p using (order_id, factory_id) join orders o using (order_id)
    join priced d on d.factory_id = p.factory_id and d.day between p.first_day and p.last_day
    where s.kept > 0 or (s.most >= 1 and s.most >= s.fewest) group by s.order_id, s.factory_id),
standing as (select order_id, count(*) as factories from pair where frozen and held > 0 group by order_id),
kept as (
    select order_id, sum(kept) as pieces, sum(kept * (saved + change_cost) - setup_cost) as saved
    from saving where kept > 0 group by order_id),
offer as (
    select order_id, saved + change_cost as saved, returned as pieces from saving where returned > 0
    union all select order_id, saved, most - kept - returned from saving),
filled as (
    select f.order_id, f.saved, greatest(0, least(f.pieces, o.quantity - coalesce(k.pieces, 0) - coalesce(sum(f.pieces)
        over (partition by f.order_id order by f.saved desc rows between unbounded preceding and 1 preceding), 0)))
        as pieces
    from offer f join orders o using (order_id) left join kept k using (order_id) where f.saved > 0),
ranked as (
    select order_id, kept > 0 as standing,
           greatest(0, saved + change_cost) * returned + greatest(0, saved) * (most - kept - returned) as saved,
           row_number() over (partition by order_id, kept > 0 order by greatest(0, saved + change_cost) * returned
               + greatest(0, saved) * (most - kept - returned) desc) as place
    from saving),
best_pieces as (select order_id, sum(saved * pieces) as saved from filled group by order_id),
best_pairs as (
    select order_id, sum(r.saved) as saved from ranked r join orders using (order_id) left join standing s
        using (order_id)
    where r.standing or place <= max_factories - coalesce(s.factories, 0) group by order_id),
minute as (
    select factory_id, -price as cost, minutes from priced
    union all select factory_id, overtime_cost - price, overtime_minutes from priced),
running as (
    select m.*, coalesce(f.target_minutes, 0) as target_minutes, coalesce(f.shortfall_cost, 0) as shortfall_cost,
           coalesce(sum(m.minutes) over (partition by m.factory_id order by m.cost
               rows between unbounded preceding and 1 preceding), 0) as before
    from minute m left join factories f using (factory_id)),
worked as (
    select factory_id, sum(cost * minutes) as cost, sum(minutes) as minutes from (
        select factory_id, cost, case when cost < 0 then minutes when cost < shortfall_cost
            then greatest(0, least(minutes, target_minutes - before)) else 0 end as minutes from running)
    group by factory_id),
offered as (
    select coalesce(f.engagement_cost, 0) + coalesce(w.cost, 0)
             + coalesce(f.shortfall_cost * greatest(0, f.target_minutes - coalesce(w.minutes, 0)), 0) as working,
           coalesce(f.shortfall_cost * f.target_minutes, 0) as idle,
           exists (select 1 from pair p where p.factory_id = coalesce(w.factory_id, f.factory_id)
                   and p.frozen and p.held > 0) as engaged
    from worked w full join factories f using (factory_id))
select (select sum(o.quantity * o.unmet_cost - coalesce(k.saved, 0)
                   - least(coalesce(p.saved, 0), coalesce(q.saved, 0)))
        from orders o left join kept k using (order_id) left join best_pieces p using (order_id)
        left join best_pairs q using (order_id))
     + (select coalesce(sum(change_cost * quantity), 0) from incumbent)
     + (select coalesce(sum(case when engaged then working else least(working, idle) end), 0) from offered)
"""

FROZEN_OVER_QUANTITY = """
select (select count(*) from pair where frozen and held > max_lot)
     + (select count(*) from (select order_id from pair where frozen group by order_id
                              having sum(held) > any_value(order_quantity)))
"""

FROZEN_VIEWS = """
create view frozen_pair as
select *, row_number() over (order by order_id, factory_id) - 1 as pair,
       held * minutes_per_piece + setup_minutes as need
from pair where frozen and held > 0;

create view slot as
select *, row_number() over (order by factory_id, day) - 1 as slot, minutes + overtime_minutes as room from capacity;
"""
FROZEN_TRANSPORT = (
    "select need from frozen_pair order by pair",
    """select pair, slot, least(max_minutes_per_day, need) as most from frozen_pair p
        join slot s on s.factory_id = p.factory_id and s.day between first_day and last_day order by pair, slot""",
    "select room from slot order by slot",
)
