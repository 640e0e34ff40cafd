"""Replay: business days by the functions of the daily flow, without servers and wire; one policy, one seed, one home.

What a day leaves out beside `c2m run`: the gates on whole batches, the order robot, pages. A plan that would wait for a
person is released: nobody reviews a replay. A model is trained when it is due and then used, without a trial.
"""

import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from shutil import copyfile, copytree
from time import process_time
from typing import Any, cast

import pandas as pd
import yaml
from rich.console import Console
from rich.progress import Progress

import models.demand.train
import optimization
from c2m import clock
from c2m.errors import InputError
from c2m.feeds.ingest import ingest
from c2m.feeds.landing import land_frame, latest, merge
from c2m.feeds.rules import literal
from c2m.feeds.world import World
from c2m.files import make_folder, read_json, write_atomically, write_json, write_with
from c2m.floor.processes import write_factories
from c2m.ledger import changelog, job_orders, plans, promises, store
from c2m.ledger.conversation import leave
from c2m.proof import kept
from c2m.proof.policy import Policy
from c2m.settings import settings
from c2m.simulation import warehouses
from c2m.simulation.factories.direct import DirectFloor
from c2m.simulation.shelf import ReplayShelf
from c2m.upkeep.upgrade import upgrade
from c2m.warehouse import quick
from c2m.warehouse.published import path
from flows import plan, prices, surprise, track
from flows.parameters import Ingest
from flows.timelapse import PLANNING_HOUR, end_of, go_to, simulated_factories
from models.demand.scorer import Scorer
from models.governance.daily import baseline_daily, forecast_daily
from models.panel.daily import published_panel
from optimization.contract.edits import Edit, edited
from optimization.contract.instances import Instance
from optimization.engines.first.rule import greedy
from optimization.planning.solve import solve

_LONGEST_DAYS = 90
# Of a plan's search. By nodes instead of time, so that a busy machine plans the same. A gap of 0.2 %, as the daily run
# has it, takes 2.4 times as long, for a plan that costs 0.2 % less (Amazon apparel: 54 lots, 498 pairs).
SEARCH = {"gap": 1e-2, "node_limit": 100}
# Beside it: reasons for what is unmet have no reader here, and changes that do not pay are undone by time.
LEAN: dict[str, Any] = {"threads": 1, "reasoned": False, "settled": False}
_MERGED_AFTER_DAYS = 7  # each mart and each export opens every file that has landed
_LEARNED = ("factories", "factory_capabilities", "factory_scores")  # marts of what factories have shown


@dataclass(frozen=True)
class Cell:
    """One replay: a world under a policy, the factories by a seed. `shared`: what all replays of the world share."""

    world: Path
    first: date
    count: int
    policy: Policy
    seed: int
    home: Path
    shared: Path
    shelf: bool = True

    @property
    def kept(self) -> Path:
        """Where its tables lie once it is through."""
        return self.shared.parent / "kept" / self.policy.name / str(self.seed)

    @property
    def days(self) -> list[date]:
        """The business days that are planned."""
        return clock.days(self.first, self.count)


class Replay:
    """One replay in its home, day by day."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        settle_in(cell)
        self.models = quick.compiled(cell.shared / "models.json")
        self.exported: dict[str, Any] = {}
        go_to(end_of(cell.first - timedelta(days=1)))
        upgrade()
        feeds = ("factories", "factory_capabilities", "factory_calendar")
        write_factories(simulated_factories(), *(latest(feed) for feed in feeds))
        self.floor = DirectFloor(simulated_factories(), settings().simulation_seed, settings().home / "sim")
        self.floor.catch_up()
        self.shelf = (
            ReplayShelf(settings().home / "sim" / "shelf", cell.first, cell.policy.price_answer) if cell.shelf else None
        )

    def one_day(self, day: date) -> None:
        """What `flows.daily` does on a day, then the factories' work until midnight."""
        self._begin(day)
        land_frame("forecast_windows", self._kept_forecast("windows", day))
        if self.cell.policy.spikes:
            land_frame("forecasts", self._kept_forecast("days", day))
            asked, now = Ingest(business_date=day), clock.now()
            surprise.note(surprise.look.fn(asked, now), asked, now)
        for number in range(1, settings().plan.rounds + 1):
            if not self._plan(day, number):
                break
            with store.session() as s:
                if not job_orders.lacks_a_maker(s, since=clock.cut_off(day)):
                    break
        if self.cell.policy.price_answer is not None:
            prices.keep(day, prices.found_on.fn(day))
        self._end(day)

    def plan_again(self, day: date) -> None:
        """A day without new orders, whose plan is for what the day before left without a factory."""
        self._begin(day)
        self._plan(day, 2)
        self._end(day)

    def work_off(self) -> None:
        """Days without new orders until every job order has ended and its goods are there."""
        after = self.cell.days[-1] + timedelta(days=1)
        for day in clock.days(after, _LONGEST_DAYS):
            self._morning(day)
            with store.session() as s:
                if day > after and job_orders.live(s).empty and (promises.last_date(s) or day) < day:
                    break
            self._end(day)
        self._book(day)

    def _morning(self, day: date) -> None:
        """What came in the night, and the goods that arrived; the shelf of the day before is counted."""
        go_to(clock.cut_off(day) + PLANNING_HOUR)
        self.floor.catch_up()
        with store.session() as s:
            leave.give(s, clock.now())
        self.floor.converse()
        changelog.export(self.exported)
        self._receive()
        if self.shelf and self.cell.first < day <= self.cell.days[-1] + timedelta(days=1):
            self.shelf.day(day - timedelta(days=1))

    def _receive(self) -> None:
        """Takes in the receipts that were sent since the day before."""
        before = set(warehouses.folder().glob("*/*"))
        warehouses.send(clock.now())
        if set(warehouses.folder().glob("*/*")) != before:
            ingest(World.load(warehouses.folder()))

    def _begin(self, day: date) -> None:
        """The morning, then what was shipped is booked."""
        self._morning(day)
        if (day - self.cell.first).days % _MERGED_AFTER_DAYS == 0:
            merge(f"before-{day}", _MERGED_AFTER_DAYS)
        self._book(day)

    def _book(self, day: date) -> None:
        """The marts as of the start of a day, and by them what was shipped."""
        quick.build(self.models, day, self.held(day))
        if day == self.cell.first:
            self._keep_first_scores()
        track.apply_progress.fn(day)

    def _keep_first_scores(self) -> None:
        for name in _LEARNED:
            write_with(settings().home / "first" / f"{name}.parquet", partial(copyfile, path(name)))

    def held(self, day: date) -> dict[str, str]:
        """Marts that the policy holds back: its steps are all in one stage, its scores stay those of the first day."""
        held = {} if self.cell.policy.stages else {"routings": "SELECT * REPLACE (1 AS stage) FROM marts.routings"}
        if not self.cell.policy.learns and day > self.cell.first:
            files = {name: settings().home / "first" / f"{name}.parquet" for name in _LEARNED}
            held |= {name: f"FROM read_parquet({literal(str(file))})" for name, file in files.items()}
        return held

    def _end(self, day: date) -> None:
        go_to(end_of(day))
        self.floor.catch_up()

    def _kept_forecast(self, kind: str, day: date) -> pd.DataFrame:
        """Windows or days of the day's forecast; what any replay has made of it, the others read."""
        policy, window_days = self.cell.policy, settings().replenishment.window_days
        made_on = self.cell.first if policy.frozen else day
        folder = self.cell.shared / "forecasts" / f"{policy.forecast}-{window_days}" / made_on.isoformat()
        make_folder(folder, lambda working: self._forecast(made_on, window_days, working))
        rows = pd.read_parquet(folder / f"{kind}.parquet")
        return rows.assign(business_date=day, known_at=clock.now().replace(tzinfo=None))

    def _forecast(self, day: date, window_days: int, folder: Path) -> None:
        """By the policy's forecaster; the baselines give windows alone."""
        panel, policy = published_panel(day), self.cell.policy
        if policy.forecast == "model":
            days, windows, _ = forecast_daily(panel, self._model(day), day, window_days)
            days.to_parquet(folder / "days.parquet")
        else:
            windows = baseline_daily(panel, policy.forecast, day, window_days)
        windows.to_parquet(folder / "windows.parquet")

    def _model(self, day: date) -> "UnregisteredModel":
        """The model of the last day on which one was due."""
        number = (day - self.cell.first).days // settings().forecast.retrain_after_days
        folder = self.cell.shared / "trained" / f"{number + 1}"
        policy = settings().forecast
        make_folder(folder, lambda working: models.demand.train.train(published_panel(day), policy).save(working))
        return UnregisteredModel(str(number + 1), Scorer.load(folder))

    def _plan(self, day: date, number: int) -> bool:
        """Orders, plan, release, answers; whether there was anything to plan."""
        policy = settings().plan
        if number == 1:  # a later round of the day has the same marts and the same forecast
            plan.book_orders(day)
        instance = self._instance(day)
        if instance is None:
            return False
        with store.session() as s:
            attempt = plans.attempt(s, day, number)
        plan_id = plans.derive_plan_id(day, number, attempt, instance.sha256, plan.spelled(policy.limits))
        made = self._searched(instance)
        proposal = plan.PlanIdentity(plan_id, day, number, attempt, policy.limits, self._version(day))
        plan.enter(proposal, instance, made, *plan.dates_of(instance, made, policy))
        with store.session() as s:
            plans.release(s, plan_id, "replay", "nobody reviews a replay", [], clock.now())
        changelog.export(self.exported)
        self.floor.converse()
        with store.session() as s:
            promises.make(s, clock.now())
        changelog.export(self.exported)
        return True

    def _version(self, day: date) -> str | None:
        number = (day - self.cell.first).days // settings().forecast.retrain_after_days
        return str(number + 1) if self.cell.policy.forecast == "model" else None

    def _instance(self, day: date) -> Instance | None:
        instance = plan.instance_of(day, settings().plan)
        if instance is None or self.cell.policy.split:
            return instance
        return edited(instance, [Edit("orders", {}, {"max_factories": 1})])

    def _searched(self, instance: Instance) -> optimization.Plan:
        if self.cell.policy.plan == "rule" and not instance.joint:  # which the common rule does not cover
            return greedy(instance)
        policy = settings().plan
        return solve(instance, policy.time_limit_s, policy.gap, node_limit=policy.node_limit, **LEAN)


@dataclass(frozen=True)
class UnregisteredModel:
    """A model that was never registered."""

    version: str
    scorer: Scorer

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Columns mean, q05 .. q95."""
        return self.scorer.predict(features)


def settle_in(cell: Cell) -> None:
    """The home of a replay: the world's settings and the policy's, and all that has landed of the world."""
    os.environ["C2M_HOME"] = str(cell.home)
    world = World.load(cell.world)
    given = merged(merged({"plan": SEARCH}, world.overrides), cell.policy.settings())
    given |= {"world": str(cell.world.absolute()), "simulation_seed": cell.seed}
    if cell.shelf:  # whoever counts the shelf knows what came in
        given = merged(given, {"simulation": {"receipts_share": 1.0}})
    write_atomically(cell.home / "c2m.yaml", yaml.safe_dump(given, sort_keys=True).encode())
    settings.cache_clear()
    landed = partial(copytree, cell.shared / "landing", copy_function=os.link, dirs_exist_ok=True)
    make_folder(cell.home / "landing", landed)


def land(world: Path, first: date, shared: Path) -> None:
    """Brings a world in once for all its replays; its settings are the home's."""
    os.environ["C2M_HOME"] = str(shared)
    write_atomically(shared / "c2m.yaml", yaml.safe_dump(World.load(world).overrides).encode())
    settings.cache_clear()
    go_to(end_of(first - timedelta(days=1)))
    ingest(World.load(world))
    quick.compiled(shared / "models.json")


def merged(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """Settings of which the later prevail, group by group."""
    both = {
        name: merged(first[name], then[name]) for name in first.keys() & then.keys() if isinstance(then[name], dict)
    }
    return first | then | both


def run(cell: Cell) -> float:
    """A whole replay; what is kept of it lies in `cell.kept`. Processor seconds."""
    began = process_time()
    shutil.rmtree(cell.home, ignore_errors=True)
    replay = Replay(cell)
    for day in cell.days:
        replay.one_day(day)
    replay.work_off()
    kept.keep(cell.kept, cast(ReplayShelf, replay.shelf), replay.floor, cell.days)
    seconds, peak_mib = process_time() - began, getrusage(RUSAGE_SELF).ru_maxrss // 1024
    done = {"policy": cell.policy.model_dump(mode="json"), "seed": cell.seed, "seconds": seconds, "peak_mib": peak_mib}
    write_json(cell.kept / "done.json", done)
    shutil.rmtree(cell.home)
    return seconds


def is_done(cell: Cell) -> bool:
    """Whether it is there, by the policy as it is now."""
    done = cell.kept / "done.json"
    return done.exists() and bool(read_json(done)["policy"] == cell.policy.model_dump(mode="json"))


def _claim(out: Path, asked: dict[str, str]) -> None:
    """Replays of another world or of other days do not go into one folder."""
    file = out / "asked.json"
    held = read_json(file) if file.exists() else asked
    if held != asked:
        raise InputError("other-replays", [f"{out} holds replays of {held}; give another folder than for {asked}"])
    write_json(file, asked)


def run_all(
    world: Path, first: date, last: date, policies: list[Policy], seeds: list[int], out: Path, processes: int
) -> Path:
    """Every policy with every seed, in processes of their own, as far as they are not there; the folder of them.

    Parameters
    ----------
    world
        Folder of the world.
    first
        First business day that is planned.
    last
        Last one.
    policies
        What is compared.
    seeds
        Of the simulated factories, one per replay of a policy.
    out
        Where all of it lies; what is there is not made again, unless its policy has changed.
    processes
        How many run at once.

    Returns
    -------
    Path
        The folder with a folder per policy and seed.

    Raises
    ------
    InputError
        `out` holds replays of another world or of other days.
    """
    _claim(out, {"world": str(world.absolute()), "first": first.isoformat(), "last": last.isoformat()})
    count = (last - first).days + 1
    shared = out / "shared"
    cells = [
        Cell(world, first, count, policy, seed, out / "at_work" / f"{policy.name}-{seed}", shared)
        for seed in seeds
        for policy in policies
    ]
    wanted = [cell for cell in cells if not is_done(cell)]
    context = get_context("forkserver")
    context.set_forkserver_preload(["flows.replay"])
    with (
        ProcessPoolExecutor(processes, context, max_tasks_per_child=1) as pool,
        Progress(console=Console(stderr=True)) as bar,
    ):
        if not (shared / "models.json").exists():
            pool.submit(land, world, first, shared).result()  # in another process: this one keeps its home
        task = bar.add_task("replays", total=len(cells), completed=len(cells) - len(wanted))
        for ran in as_completed([pool.submit(run, cell) for cell in wanted]):
            ran.result()
            bar.advance(task)
    return out / "kept"
