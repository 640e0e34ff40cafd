"""The rules of stages, transfers, ready pieces and pools in SQL, for an instance or a plan that has any of them.

Tables as in optimization/verification/plan_rules.py, and the plan's `moves`. S1 to S3 are the contract's numbers.
"""

CONCERNED = """
select (select count(*) from stages where stage > 1) + (select count(*) from ready) + (select count(*) from moves) > 0
    or exists (from pools)
"""

JOINT_LOTS = """
create table joint_lots as
select distinct order_id from (select order_id from stages where stage > 1
    union all select order_id from pools union all select order_id from ready)
"""

# Prices are those of lots made at one factory each. The others are left out of their bound, at the least that they can
# cost: each piece the cheapest factory of every stage, or what leaving it unmet costs, whatever its minutes are worth.
# Pieces that are ready have passed stages before. This needs minutes without a price where joint lots may be made.
PRICED_TOGETHER = """
select count(*) from prices q join pair p using (factory_id) join joint_lots using (order_id) where q.price <> 0
"""
LEAST_COST = """
select coalesce(sum(o.quantity * least(o.unmet_cost, case when r.order_id is null then c.unit_cost else 0 end)), 0)
from orders o join joint_lots using (order_id)
left join (select distinct order_id from ready) r using (order_id)
left join (select order_id, sum(unit_cost) as unit_cost
           from (select order_id, stage, min(unit_cost) as unit_cost from pair group by all) group by order_id) c
    using (order_id)
"""
WITHOUT_JOINT_LOTS = """
delete from orders where order_id in (from joint_lots);
delete from incumbent where order_id in (from joint_lots);
delete from pair where order_id in (from joint_lots);
"""

DERIVED = """
create table flow as
select m.order_id, m.stage, m.from_factory, m.to_factory, m.day, m.quantity,
       case when m.from_factory = m.to_factory then 0 else coalesce(own.cost, any_lot.cost) end as cost,
       case when m.from_factory = m.to_factory then 0 else coalesce(own.days, any_lot.days) end as days
from moves m
left join transfers own
    on own.order_id = m.order_id and own.from_factory = m.from_factory and own.to_factory = m.to_factory
left join transfers any_lot
    on any_lot.order_id = '' and any_lot.from_factory = m.from_factory and any_lot.to_factory = m.to_factory;

create table finished as
select w.order_id, w.stage, w.factory_id, w.day, w.run_minutes / p.minutes_per_piece as pieces
from work w join pair p using (order_id, stage, factory_id) where p.passes_on
union all select order_id, stage, factory_id, day, quantity from ready;

create view left_behind as
select order_id, stage, from_factory as factory_id, day, quantity as pieces from moves;

create view arrived as
select order_id, stage + 1 as stage, to_factory as factory_id, day + days as day, quantity as pieces from flow;

create table begun as
select w.order_id, w.stage, w.factory_id, w.day, w.run_minutes / p.minutes_per_piece as pieces
from work w join pair p using (order_id, stage, factory_id) where w.stage > 1;

create macro slack(quantity) as 1e-6 * greatest(1, quantity);
"""

_BEFORE = """
    select o.order_id, t.stage, t.factory_id, t.day, sum(t.pieces) over until as {taken},
           sum(t.given) over until as {given}, o.quantity as order_quantity
    from (select *, 0.0 as given from {first}
          union all select order_id, stage, factory_id, day, 0.0, pieces from {second}) t join orders o using (order_id)
    window until as (partition by t.order_id, t.stage, t.factory_id order by t.day)
"""


def _after(taken: str, given: str, first: str, second: str) -> str:
    """Days on which more has been taken than was given until then."""
    sums = _BEFORE.format(taken=taken, given=given, first=first, second=second)
    return f"select distinct * from ({sums}) where {taken} > {given} + slack(order_quantity)"  # noqa: S608 (constants)


RULES = {
    "stage-quantity": """select order_id, stage, any_value(o.quantity) as quantity, sum(t.pieces) as pieces
        from (select order_id, stage, quantity as pieces from allocation
              union all select r.order_id, s.stage, r.quantity from ready r join stages s using (order_id)
              where s.stage <= r.stage) t
        join orders o using (order_id) join finish e using (order_id)
        where t.stage < e.last_stage group by order_id, stage having sum(t.pieces) > any_value(o.quantity)""",
    "pool-min-lot": """select p.team, p.stage, p.factory_id, sum(a.quantity) as quantity,
            any_value(s.min_lot) as min_lot
        from allocation a join pair p using (order_id, stage, factory_id)
        join setup s using (team, pooled, stage, factory_id) where p.pooled and not s.frozen
        group by p.team, p.stage, p.factory_id having sum(a.quantity) < any_value(s.min_lot)""",
    "finite-moves": "select * from moves where not (isfinite(quantity) and quantity > 0)",
    "one-row-per-move": """select order_id, stage, from_factory, to_factory, day, count(*) as n from moves
        group by all having n > 1""",
    "move-day": "select m.* from moves m cross join horizon h where m.day not between 1 and h.days",
    "move-stage": """select m.* from moves m left join finish e using (order_id)
        where e.last_stage is null or m.stage not between 1 and e.last_stage - 1""",
    "move-lane": "select * exclude (cost, days) from flow where days is null",
    "whole-moves": """select m.order_id, m.stage, m.from_factory, m.to_factory, sum(m.quantity) as pieces
        from moves m join orders o using (order_id) group by m.order_id, m.stage, m.from_factory, m.to_factory
        having abs(pieces - round(pieces)) > slack(any_value(o.quantity))""",
    "moves-in": """select order_id, stage, factory_id, sum(t.made) as allocated, sum(t.pieces) as moved_in
        from (select order_id, stage, factory_id, quantity as made, 0 as pieces from allocation where stage > 1
              union all select order_id, stage, factory_id, 0, pieces from arrived) t join orders o using (order_id)
        group by order_id, stage, factory_id
        having abs(sum(t.made) - sum(t.pieces)) > slack(any_value(o.quantity))""",
    "moves-out": """select order_id, stage, factory_id, sum(t.made) as allocated, sum(t.frozen) as frozen,
            sum(t.ready) as ready, sum(t.pieces) as moved_out
        from (select a.order_id, a.stage, a.factory_id, a.quantity as made,
                     case when p.frozen then p.held else 0 end as frozen, 0 as ready, 0 as pieces
              from allocation a join pair p using (order_id, stage, factory_id) where p.passes_on
              union all select order_id, stage, factory_id, 0, 0, quantity, 0 from ready
              union all select order_id, stage, factory_id, 0, 0, 0, pieces from left_behind) t
        join orders o using (order_id) group by order_id, stage, factory_id
        having moved_out < allocated - frozen - slack(any_value(o.quantity))
            or moved_out > allocated + ready + slack(any_value(o.quantity))""",
    "moved-when-finished": _after("moved", "finished", "left_behind", "finished"),
    "run-when-arrived": _after("run", "arrived", "begun", "arrived"),
}

COST = {"transfer": "select coalesce(sum(quantity * cost), 0) from flow"}
