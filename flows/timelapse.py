"""`c2m run`: business days in time-lapse on a folder of feed files, with real broker, relay, collector and factories.

The clock stands still while a day is planned and jumps to the end of the day once every job order is answered; the
simulated factories then send all that falls due in between. A day that is through leaves runs/<date>/done.json, its
last act, so that the same command completes what broke off, or what waited for a person, and repeats nothing.
"""

import json
import logging
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path

import yaml
from rich.console import Console
from rich.logging import RichHandler

from c2m import clock
from c2m.errors import InputError
from c2m.feeds.ingest import ingest
from c2m.feeds.landing import latest
from c2m.feeds.world import World
from c2m.files import read_json, write_atomically
from c2m.floor.processes import floor, settle, write_factories
from c2m.home import occupied
from c2m.ledger import job_orders, promises, status
from c2m.ledger.conversation import leave
from c2m.ledger.store import session
from c2m.settings import settings
from c2m.simulation import joint, warehouses
from c2m.simulation.world import write_world
from c2m.steps import step
from c2m.upkeep.upgrade import upgrade
from flows import services

PLANNING_HOUR = timedelta(hours=6)  # after the cut-off; nobody is disturbed at midnight
_SCORES = "+factory_scores +factory_score_components"
_LONGEST_DAYS = 90  # a job order that has not ended by then is reported, not waited for


def adopt(folder: Path) -> World:
    """Makes the world's zone, currency and folder the settings of this C2M_HOME; another world's home is refused."""
    world, file = World.load(folder), settings().home / "c2m.yaml"
    wanted = {**world.overrides, "world": str(folder.absolute())}
    held = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else wanted
    if held.get("world") != wanted["world"]:
        seen = f"{settings().home} holds the state of {held.get('world')}"
        raise InputError("home-of-another-world", [f"{seen}; set C2M_HOME to another folder, or delete it"])
    write_atomically(file, yaml.safe_dump(wanted, sort_keys=True).encode())
    settings.cache_clear()
    return world


def run(folder: Path, first: date | None, count: int, to_the_end: bool) -> None:
    """Runs business days in time-lapse on an embedded floor.

    Parameters
    ----------
    folder
        The world: feed files, or a world.yaml that names mappings.
    first
        First business day; None: that of the settings, else today.
    count
        How many days.
    to_the_end
        Let the factories then work off every job order.

    Raises
    ------
    C2MError
        The home is occupied, or a step failed.
    """
    world = adopt(folder)
    first = first or settings().business_date or clock.business_date(clock.now())
    logging.getLogger("c2m").addHandler(RichHandler(console=Console(stderr=True), show_path=False, show_level=False))
    logging.getLogger("c2m").setLevel(logging.INFO)
    with ExitStack() as running:
        running.enter_context(occupied("c2m run"))
        with step("first files"):
            factories = prepare(world, first)
        with step("Prefect server"):
            running.enter_context(services.prefect_api())
        with step("factory floor"):
            running.enter_context(floor(factories, settings().simulation_seed))
        with step("imports"):
            import flows.daily  # noqa: F401 - Prefect, dbt, MLflow, XGBoost, Pyomo: paid here once
        for day in clock.days(first, count):
            one_day(day)
        if to_the_end:
            work_off(first + timedelta(days=count))


def demo_world() -> Path:
    """The folder of the platform's world; where none is there, a small demo world is written to it."""
    folder = settings().world_folder
    if not folder.exists():
        write_world(folder, seed=1, size="small")
        joint.lay_beside(folder)
    return folder


def prepare(world: World, first: date) -> Path:
    """Ledger, clock and what came in before `first`; returns the file that the simulated factories read."""
    upgrade()
    go_to(end_of(first - timedelta(days=1)))
    ingest(world)
    feeds = ("factories", "factory_capabilities", "factory_calendar")
    write_factories(simulated_factories(), *map(latest, feeds))
    return simulated_factories()


def simulated_factories() -> Path:
    """The file that the simulated factories read when they start."""
    return settings().home / "sim" / "factories.json"


def one_day(day: date) -> None:
    """One business day, unless it is through already."""
    done = settings().runs / day.isoformat() / "done.json"
    if done.exists() or later_day_begun(day):
        logging.getLogger("c2m").info("%s  is through", day)
        return
    from flows.daily import daily
    from flows.parameters import Daily

    go_to(clock.cut_off(day) + PLANNING_HOUR)
    daily(Daily(business_date=day))
    with step("factories work"):
        advance(end_of(day))
    with session() as s:
        seen = status.summary(s)
    if seen["plan"] and seen["plan"]["state"] == "proposed":
        logging.getLogger("c2m").warning("%s  waits for a person: decide on its plan, then run it again", day)
        return
    write_atomically(done, json.dumps(seen, indent=1, default=str).encode())


def later_day_begun(day: date) -> bool:
    """Whether a later day has been planned: what an earlier one left undecided is in its book."""
    return any(folder.parents[1].name > day.isoformat() for folder in settings().runs.glob("*-*-*/[!.]*/plan"))


def work_off(day: date) -> None:
    """Days without new orders until every job order has ended and every promised date is past.

    Then what was shipped is booked and orders close, factories are scored by what they did, and the robot says what
    is late. One build for all: a start of dbt costs more than these marts.
    """
    from flows import robot, track, warehouse
    from flows.parameters import Robot, Track

    with step("work off"):
        for today in clock.days(day, _LONGEST_DAYS):
            with session() as s:
                if job_orders.live(s).empty and promises.last_date(s) < today:
                    break
            advance(end_of(today))
            with session() as s:
                leave.give(s, clock.now())
            settle(set(), clock.now())  # a leave that is heard after the clock has gone on begins a day later
        list(warehouses.bring_in(clock.now()))
    today = clock.business_date(clock.now()) + timedelta(days=1)
    with step("progress marts"):
        warehouse.build(today, f"{track.PROGRESS} {robot.FLOOR} {_SCORES}")
    track.track(Track(business_date=today, rebuild=False))
    robot.robot(Robot(business_date=today, rebuild=False))


def end_of(day: date) -> datetime:
    """The last second that the next day's run sees: its cut-off is midnight, and what comes at midnight is too late."""
    return clock.cut_off(day + timedelta(days=1)) - timedelta(seconds=1)


def go_to(moment: datetime) -> None:
    """Moves the clock, never back: a run that broke off may have been further."""
    if not clock.is_virtual() or clock.now() < moment:
        clock.set_now(moment)


def advance(moment: datetime) -> None:
    """Moves the clock and returns once every simulated factory has told all that fell due until then."""
    go_to(moment)
    factories = read_json(simulated_factories())
    settle({factory["factory_id"] for factory in factories}, moment)


def pass_days(count: int) -> None:
    """Lets days pass on the virtual clock of a running platform, and then go on at the speed of real time.

    Raises
    ------
    InputError
        The home lives in real time.
    """
    if not clock.is_virtual():
        raise InputError("clock-is-real", ["this C2M_HOME lives in real time; `c2m simulate` needs one of `c2m run`"])
    for day in clock.days(clock.business_date(clock.now()), count):
        advance(end_of(day))
    clock.set_now(clock.now(), speed=1)
