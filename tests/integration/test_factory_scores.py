"""Scores of factories: rates, efficiency, points and bands out of landed evidence, recomputed in plain Python."""

from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb
import numpy as np
import order_world
import pandas as pd
import pytest
import yaml
from warehouse_world import build, land, moment

from c2m.domain.operations import Operation, written
from c2m.settings import settings
from c2m.warehouse.published import PROJECT
from optimization.book import factory_record, promised_dates
from optimization.planning.solve import solve

DAY, LONG_AGO = date(2022, 6, 1), date(2022, 3, 1)
VARS = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
EVIDENCE = VARS["evidence"]
FACTORIES, CATEGORIES = ["f0", "f1", "f2", "f3", "new"], ["kurta", "uniform"]
CRAFTED = ["f0", "f1", "new"]  # those that knit and link
MARTS = ("factories", "factory_scores", "factory_score_components", "factory_capabilities")
MODELS = ("--select", *(f"+{mart}" for mart in MARTS), "--indirect-selection", "cautious")
MANNERS = ("int_factory_manners", "int_job_orders", "int_job_order_pieces", "stg_ledger_job_orders")
SOCK = [Operation("knit", "knit", 6.0, 1), Operation("link", "link", 4.0, 2), Operation("look", None, 2.0, 2)]
SHARES = {"knit": 1.0, "link": 4 / 6}  # of the standard minutes of their stage
HOSE = [Operation("knit", "knit", 10.0, 1), Operation("link", "link", 10.0, 1)]
TRUE_PACE = {"f0": {"knit": 0.6, "link": 1.4}, "f1": {"knit": 1.4, "link": 0.6}}
Job = dict[str, Any]


def noon(day: date, hours: float = 12) -> datetime:
    return datetime.combine(day, time()) + timedelta(hours=hours)


def job_order(random: np.random.Generator, number: int) -> Job:
    """A job order of a factory: asked, answered or not, made or not, on time or late, in full or not."""
    released = DAY - timedelta(days=int(random.integers(3, 50)))
    outcome = random.choice(["Ended", "Running", "Refused", "Expired"], p=[0.7, 0.15, 0.1, 0.05])
    days = int(random.integers(2, 12))
    factory = str(random.choice(FACTORIES[:-1]))
    ended = released + timedelta(days=int(random.integers(1, 16)))
    if outcome == "Ended" and ended >= DAY:
        outcome = "Running"
    return {
        "job_order_id": f"j{number}",
        "factory_id": factory,
        "category": CATEGORIES[number % 2],
        "quantity": int(random.choice([100, 400])),
        "is_repeat": bool(random.random() < 0.3),
        "outcome": outcome,
        "released": released,
        "due_on": released + timedelta(days=days),
        "answer_hours": float(random.integers(1, 30)),
        "ended": ended if outcome == "Ended" else None,
        "is_full": bool(random.random() < 0.9),
        "defects": int(random.integers(0, 20)),
        "craft": ("knit", "link")[number // 3 % 2] if number % 3 == 0 else None,
        "spoilt": number % 7 if number % 3 == 0 else 0,  # by the operation of its craft; defects are found at the end
    }


def changes(job: Job) -> list[dict[str, Any]]:
    """The job order's rows in the ledger's change log."""
    row = {name: job[name] for name in ("job_order_id", "factory_id", "quantity", "due_on")}
    row |= {"lot_id": f"l-{job['job_order_id']}", "order_id": f"o-{job['job_order_id']}", "merchant_id": "m"}
    row |= {"start_on": job["released"], "attempt": 1, "revision": 1, "accepted": None, "ended_at": None}
    row |= {"stage": 1 + (job["craft"] == "link"), "stages": 2 if job["craft"] else 1}
    told: list[tuple[datetime, dict[str, Any]]] = [(noon(job["released"], 0), {"state": "Released"})]
    answered = noon(job["released"], job["answer_hours"])
    if job["outcome"] == "Expired":
        told.append((answered, {"state": "Expired"}))
    else:
        told.append((answered, {"state": "AllowedToStart", "accepted": job["outcome"] != "Refused"}))
        told.append((answered + timedelta(hours=1), {"state": job["outcome"], "accepted": job["outcome"] != "Refused"}))
    if job["ended"]:
        told[-1] = (max(noon(job["ended"]), told[-1][0]), told[-1][1] | {"ended_at": noon(job["ended"])})
    rank = sum(map(ord, job["job_order_id"]))  # which later plans change
    return [
        row | told_row | {"rank": (rank + n) % 7 or None, "sequence": n, "at": at, "known_at": at}
        for n, (at, told_row) in enumerate(told)
    ]


def scans(job: Job) -> list[dict[str, Any]]:
    if not job["ended"]:
        return []
    row = {"factory_id": job["factory_id"], "job_order_id": job["job_order_id"], "sku_id": "s", "line_id": None}
    at = noon(job["ended"])
    done = {"inspect": (job["quantity"], job["defects"]), "ship": (job["quantity"] - (0 if job["is_full"] else 50), 0)}
    done |= {job["craft"]: (job["quantity"], job["spoilt"])} if job["craft"] else {}
    return [
        row | {"scan_id": f"{job['job_order_id']}-{name}", "operation": name, "quantity": pieces, "defects": bad}
        | {"at": at, "received_at": at}
        for name, (pieces, bad) in done.items()
    ]  # fmt: skip


def sewing(factory: str, random: np.random.Generator) -> tuple[list[dict[str, Any]], dict[date, float]]:
    """Scans of one long job order on the factory's line, and what they say of the efficiency of its busy days."""
    days = [day for day in working_days() if DAY - timedelta(days=40) <= day < DAY]
    ratio = np.clip(0.9 + random.normal(0, 0.2, len(days)), 0.3, 1.3)
    paces = TRUE_PACE.get(factory, {})
    pace = [sum(share * paces.get(name, 1) for name, share in sewn_on(factory, day).items()) for day in days]
    ratio = np.round(ratio * pace * 50) / 50  # of 100 pieces an even number
    row = {"factory_id": factory, "job_order_id": f"long-{factory}", "sku_id": "s", "line_id": "L1", "defects": 0}
    made = [
        row | {"scan_id": f"{factory}-{day}-{name}", "operation": name, "quantity": round(r * 100 * share)}
        | {"at": noon(day), "received_at": noon(day)}
        for day, r in zip(days, ratio, strict=True) for name, share in sewn_on(factory, day).items()
    ]  # fmt: skip
    return made, dict(zip(days[1:-1], ratio[1:-1], strict=True))


def sewn_on(factory: str, day: date) -> dict[str, float]:
    """The operations of a day and their shares of its minutes: knitting, linking, both; sewing where no craft is."""
    if factory not in TRUE_PACE:
        return {"sew": 1.0}
    return ({"knit": 1.0}, {"link": 1.0}, {"knit": 0.5, "link": 0.5})[day.toordinal() % 3]


def working_days() -> list[date]:
    days = [DAY - timedelta(days=60) + timedelta(days=n) for n in range(90)]
    return [day for day in days if day.weekday() != 4]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Random evidence, landed and built; what the models made of it."""
    random = np.random.default_rng(5)
    jobs = [job_order(random, n) for n in range(160)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("scores")))
        settings.cache_clear()
        speeds = land_world(jobs, random)
        build(DAY, *MODELS)
        with duckdb.connect(str(settings().warehouse), read_only=True) as connection:
            marts = {name: connection.sql(f"FROM marts.{name}").df() for name in MARTS}
            rates = connection.sql("FROM main.int_factory_rates").df()
            components = connection.sql("FROM main.int_factory_components").df()
            told = {name: connection.sql(f"FROM main.{name}").df() for name in MANNERS}
    return {"jobs": jobs, "speeds": speeds, "rates": rates, "all_components": components, **marts, **told}


def land_world(jobs: list[Job], random: np.random.Generator) -> dict[str, dict[date, float]]:
    known, long_ago = {"known_at": moment("2022-01-01")}, noon(LONG_AGO, 0)
    facts = {"country": "IN", "latitude": 1, "longitude": 1, "timezone": "UTC", "currency": "EUR", "operators": 40}
    facts |= {"minute_cost": 0.1, "overtime_minute_cost": 0.15, "setup_cost": 1, "setup_minutes": 1, "min_lot": 10}
    facts |= {"engagement_cost": 1, "small_order_willingness": 1, "handling_days": 1, "transport": "mqtt"}
    facts |= {"lines": 1, "status": "active", "audit_score": 0.9, "certificates": "a;b"}
    land("factories", [facts | known | {"factory_id": factory} for factory in FACTORIES])
    skill = {"kind": "category", "efficiency": 1.0} | known
    craft = {"kind": "craft", "efficiency": 1.0} | known
    able = [skill | {"factory_id": f, "name": name} for f in FACTORIES for name in CATEGORIES]
    land("factory_capabilities", [*able, *(craft | {"factory_id": f, "name": n} for f in CRAFTED for n in SHARES)])
    open_day = {"minutes": 1000, "overtime_minutes": 0} | known
    land("factory_calendar", [open_day | {"factory_id": f, "day": day} for f in FACTORIES for day in working_days()])
    long = {"merchant_id": "m", "quantity": 10**6, "state": "Running", "accepted": True, "due_on": DAY + timedelta(60)}
    long |= {"at": long_ago, "known_at": long_ago, "start_on": long_ago.date(), "attempt": 1, "revision": 1}
    long |= {"sequence": 0, "lot_id": "l-long", "order_id": "o-long"}
    orders = [row for job in jobs for row in changes(job)]
    ids = {f: f"long-{f}" for f in FACTORIES[:-1]}
    of = {factory: {"lot_id": "l-hose"} for factory in TRUE_PACE}
    begun = [long | {"factory_id": f, "job_order_id": name} | of.get(f, {}) for f, name in ids.items()]
    land("ledger_job_orders", [*orders, *begun])
    sam = {f"sam_{name}_minutes": 10 for name in ("cut", "sew", "finish", "inspect", "pack")}
    lot = {"merchant_id": "m", "state": "open", **sam, "at": long_ago, "known_at": long_ago}
    sock, hose = written(SOCK), {"l-hose": written(HOSE), "l-long": None}
    lots = [
        lot
        | {"lot_id": f"l-{j['job_order_id']}", "category": j["category"], "operations": sock if j["craft"] else None}
        for j in jobs
    ]
    kurta = lot | {"category": "kurta"}
    land("ledger_lots", [*lots, *(kurta | {"lot_id": name, "operations": made} for name, made in hose.items())])
    order = {"merchant_id": "m", "tolerance_share": 0.03, "at": long_ago, "known_at": long_ago, "state": "open"}
    parent = [{"parent_order_id": "o" if j["is_repeat"] else None, "order_id": f"o-{j['job_order_id']}"} for j in jobs]
    land("ledger_orders", [order | row for row in parent])
    sewn = {factory: sewing(factory, random) for factory in FACTORIES[:-1]}
    land("scans", [*(row for job in jobs for row in scans(job)), *(row for made, _ in sewn.values() for row in made)])
    return {factory: speeds for factory, (_, speeds) in sewn.items()}


def observations(job: Job) -> list[tuple[str, date, float, float]]:
    """measure, day, how many, their sum."""
    answered = noon(job["released"], job["answer_hours"])
    accepted = float(job["outcome"] in ("Ended", "Running"))
    # A job order that never answered is decided when the ledger says so, the same moment in this world.
    found = [("acceptance", answered.date(), 1.0, accepted)]
    if job["quantity"] <= VARS["small_order_pieces"]:
        found.append(("small_acceptance", answered.date(), 1.0, accepted))
    if job["is_repeat"]:
        found.append(("repeat_acceptance", answered.date(), 1.0, accepted))
    if job["outcome"] != "Expired":
        found.append(("answer_hours", answered.date(), 1.0, job["answer_hours"]))
    if accepted and (job["ended"] or job["due_on"] < DAY):
        on_time = bool(job["ended"]) and job["ended"] <= job["due_on"] and job["is_full"]
        found.append(("on_time", min(job["ended"] or job["due_on"], job["due_on"]), 1.0, float(on_time)))
    if job["ended"]:
        took, planned = ((job[name] - job["released"]).days + 1 for name in ("ended", "due_on"))
        found.append(("lead_ratio", job["ended"], 1.0, float(np.log(took / planned))))
        lost = job["defects"] + job["spoilt"]
        found.append(("yield", job["ended"], float(job["quantity"] + lost), float(job["quantity"])))
    return found


def expected_rates(jobs: list[Job], as_of: date) -> dict[tuple[str, str | None, str], float]:
    """Decayed, days cut to what they tell, shrunk: category to factory to platform to prior."""
    asked = {"category": "kurta", "quantity": 10**6, "is_repeat": False, "outcome": "Running", "released": LONG_AGO}
    asked |= {"answer_hours": 0.0, "due_on": DAY + timedelta(days=60), "ended": None}
    days: dict[tuple[str, str, str], dict[date, list[float]]] = {}
    for job in [*jobs, *(asked | {"factory_id": factory} for factory in FACTORIES[:-1])]:
        for measure, day, n, x in observations(job):
            if day < as_of:
                own = days.setdefault((job["factory_id"], job["category"], measure), {})
                own[day] = [before + more for before, more in zip(own.get(day, (0, 0)), (n, x), strict=True)]
    sums: dict[tuple[str | None, str | None, str], list[float]] = {}
    for (factory, category, measure), own in days.items():
        half_life, most = EVIDENCE[measure]["half_life_days"], EVIDENCE[measure].get("most_a_day", np.inf)
        fade = {day: 0.5 ** (((as_of - day).days - 1) / half_life) for day in own}
        rate = sum(fade[day] * x for day, (_, x) in own.items()) / sum(fade[day] * n for day, (n, _) in own.items())
        told = sum(fade[day] / (1 / n + 1 / most) for day, (n, _) in own.items())
        for key in ((None, None), (factory, None), (factory, category)):
            total = sums.setdefault((*key, measure), [0.0, 0.0])
            total[0] += told
            total[1] += told * rate
    rates = {}
    for measure, given in EVIDENCE.items():

        def shrunk(key: tuple[str | None, str | None], prior: float, measure: str = measure) -> float:
            n, x = sums.get((*key, measure), (0.0, 0.0))
            return float((x + prior * EVIDENCE[measure]["weight"]) / (n + EVIDENCE[measure]["weight"]))

        platform = shrunk((None, None), given["prior"])
        for factory in FACTORIES:
            rates[factory, None, measure] = in_all = shrunk((factory, None), platform)
            for category in CATEGORIES:
                rates[factory, category, measure] = shrunk((factory, category), in_all)
    return rates


@pytest.mark.parametrize("days_ago", [0, 5, 13])
def test_rates_are_decayed_and_shrunk_as_of_any_of_the_last_days(world: dict[str, Any], days_ago: int) -> None:
    as_of = DAY - timedelta(days=days_ago)
    rates = world["rates"][(world["rates"]["as_of"] == pd.Timestamp(as_of)) & world["rates"]["craft"].isna()]
    keys = [(r.factory_id, r.category if isinstance(r.category, str) else None, r.measure) for r in rates.itertuples()]
    expected = expected_rates(world["jobs"], as_of)
    assert len(keys) == len(expected) == 5 * 3 * 7
    assert rates["rate"].tolist() == pytest.approx([expected[key] for key in keys], abs=1e-9)


def test_the_level_of_efficiency_is_that_of_generalised_least_squares(world: dict[str, Any]) -> None:
    factories = world["factories"].set_index("factory_id")
    number = {day: n for n, day in enumerate(working_days())}
    weight, prior = VARS["prior_efficiency_days"], VARS["prior_efficiency"]
    for factory, speeds in world["speeds"].items():
        at, ratio = np.array([number[day] for day in speeds]), np.array(list(speeds.values()))
        white = np.linalg.inv(np.linalg.cholesky(VARS["efficiency_memory"] ** np.abs(at[:, None] - at)))
        ages = np.array([(DAY - day).days - 1 for day in speeds])
        decay = 0.5 ** (ages / VARS["efficiency_half_life_days"])
        ones, seen = white @ np.ones(len(at)), white @ ratio
        estimate = (decay * ones * seen).sum() / (decay * ones**2).sum()
        shares = decay * ones**2 / (decay * ones**2).sum()
        information = 1 / (shares**2 / ones**2).sum()  # one over the variance of the mean
        level = (estimate * information + prior * weight) / (information + weight)
        squares = (decay * (seen - level * ones) ** 2).sum() + weight * VARS["prior_efficiency_day_sd"] ** 2
        day_sd = np.sqrt(squares / (decay.sum() + weight))
        kept = VARS["efficiency_memory"] ** (number[DAY - timedelta(1)] - at[-1])
        ahead = VARS["efficiency_memory"] ** np.arange(1, VARS["efficiency_days_ahead"] + 1)
        row = factories.loc[factory]
        assert row["efficiency_level"] == pytest.approx(level, abs=1e-9)
        assert row["efficiency_day_sd"] == pytest.approx(day_sd, abs=1e-9)
        assert row["efficiency_level_sd"] == pytest.approx(day_sd / np.sqrt(information + weight), abs=1e-9)
        assert row["efficiency_deviation"] == pytest.approx((ratio[-1] - level) * kept, abs=1e-9)
        assert row["efficiency_factor"] == pytest.approx(level + (ratio[-1] - level) * kept * ahead.mean(), abs=1e-9)
    new = factories.loc["new"]
    assert (new["efficiency_factor"], new["efficiency_kept"], new["efficiency_deviation"]) == (1, 0, 0)


def test_a_craft_has_the_factorys_figures_and_by_how_much_its_job_orders_lie_apart_from_them(
    world: dict[str, Any],
) -> None:
    """By hand, in plain Python; what has shown nothing in a craft has exactly its own figures."""
    rates, factories = expected_rates(world["jobs"], DAY), world["factories"].set_index("factory_id")
    shown = world["factory_capabilities"].set_index(["kind", "factory_id", "name"]).loc["craft"]
    assert len(shown) == 6
    for (name, craft), row in shown.iterrows():
        mine = [job for job in world["jobs"] if job["factory_id"] == name and job["craft"] == craft]
        for measure in ("on_time", "yield"):
            own = rates[name, None, measure]
            assert row[f"{measure}_rate"] == pytest.approx(own + credibility(mine, measure, own), abs=1e-9)
        of, trust, apart = factories.loc[name], VARS["prior_efficiency_days"], 0.0
        for day, ratio in world["speeds"].get(name, {}).items():
            weight = sewn_on(name, day).get(craft, 0) * 0.5 ** (
                ((DAY - day).days - 1) / VARS["efficiency_half_life_days"]
            )
            trust, apart = trust + weight, apart + weight * (ratio - of["efficiency_level"])
        assert row["efficiency_factor"] == pytest.approx(of["efficiency_factor"] + apart / trust, abs=1e-9)
        if name == "new":
            figures = ["efficiency_factor", "yield_rate", "on_time_rate"]
            # The same sums; two marts read them, and threads may add in another order.
            assert row[figures].tolist() == pytest.approx(of[figures].tolist(), rel=1e-12)


def credibility(jobs: list[Job], measure: str, own: float) -> float:
    """Sum of w (x - own) / (sum of w + weight of what is the factory's own)."""
    given = EVIDENCE[measure]
    days: dict[date, list[float]] = {}
    for job in jobs:
        for name, day, n, x in observations(job):
            if name == measure and day < DAY:
                share = SHARES[job["craft"]]
                good = share * x if measure == "on_time" else share * (n - job["defects"]) - job["spoilt"]
                days[day] = [
                    before + more for before, more in zip(days.get(day, (0, 0)), (share * n, good), strict=True)
                ]
    fade = {day: 0.5 ** (((DAY - day).days - 1) / given["half_life_days"]) for day in days}
    trust = sum(fade[day] / (1 / n + 1 / given.get("most_a_day", np.inf)) for day, (n, _) in days.items())
    seen = sum(fade[day] * n for day, (n, _) in days.items())
    rate = sum(fade[day] * x for day, (_, x) in days.items()) / seen if seen else own
    return float(trust * (rate - own) / (trust + given["weight"]))


def test_a_stage_goes_to_who_has_shown_to_be_good_at_it(world: dict[str, Any]) -> None:
    """f0 links well and knits badly, f1 the other way round; by the figures of the factories one would have both."""
    assert placed(world["factory_capabilities"], world["factories"]) == {"knit": "f1", "link": "f0"}
    skills = world["factory_capabilities"][["factory_id", "kind", "name", "efficiency"]]
    assert len(set(placed(skills, world["factories"]).values())) == 1


def placed(capabilities: pd.DataFrame, factories: pd.DataFrame) -> dict[str, str]:
    """Who makes which stage of a lot of socks, of f0 and f1, which cost the same."""
    shown = ["factory_id", "efficiency_factor", "yield_rate", "on_time_rate"]
    two = [
        order_world.factory(**row)
        for row in factories.loc[factories["factory_id"].isin(TRUE_PACE), shown].to_dict("records")
    ]
    asked = [order_world.lot(category="kurta", operations=written(SOCK), stages=2, quantity=400)]
    scores = [order_world.score(f, category="kurta") for f in TRUE_PACE]
    instance = order_world.built(asked, two, capabilities, scores=scores)
    made = solve(instance, time_limit_s=20).allocation.merge(instance.stages, on=["lot_id", "stage"])
    return dict(zip(made["name"].str.split("-").str[0], made["factory_id"], strict=True))


def test_the_order_in_which_job_orders_begin_tells_how_a_factory_works(world: dict[str, Any]) -> None:
    """Bayes' rule in plain Python, one beginning after another."""
    begun = world["int_job_order_pieces"].groupby("job_order_id")["first_scan_at"].min()
    jobs = world["int_job_orders"].assign(begun_at=lambda frame: frame["job_order_id"].map(begun))
    jobs["gone_at"] = jobs["begun_at"].fillna(jobs["ended_at"])
    log = world["stg_ledger_job_orders"].sort_values("known_at").fillna({"rank": -1})
    keys = {
        "rank": lambda job: (ranks[job.job_order_id], job.due_on, job.job_order_id),
        "arrival": lambda job: (job.released_at, ranks[job.job_order_id], job.due_on, job.job_order_id),
        "size": lambda job: (-job.quantity, job.released_at, ranks[job.job_order_id], job.job_order_id),
    }
    seen = 0
    for factory, accepted in jobs[jobs["accepted"].fillna(False).astype(bool)].groupby("factory_id"):
        told = dict.fromkeys(keys, 0.0)
        for one in accepted.dropna(subset="begun_at").itertuples():
            day = one.begun_at.date()  # as in the factories' zone: they work at noon
            others = [
                job
                for job in accepted.itertuples()
                if job.answered_at <= one.begun_at and not job.gone_at < one.begun_at and job.start_on.date() <= day
            ]
            if len(others) < 2 or day >= DAY:
                continue
            seen += 1
            ranks = log[log["known_at"] <= one.begun_at].groupby("job_order_id")["rank"].last()
            weight = 0.5 ** (((DAY - day).days - 1) / VARS["manner_half_life_days"])
            slips = VARS["manner_slips"]
            for name, key in keys.items():
                hit = min(others, key=key).job_order_id == one.job_order_id
                told[name] += weight * np.log(1 - slips if hit else slips / (len(others) - 1))
        chance = {name: VARS["prior_manners"][name] * np.exp(told[name]) for name in keys}
        row = world["factories"].set_index("factory_id").loc[factory]
        for name in keys:
            assert row[f"works_by_{name}"] == pytest.approx(chance[name] / sum(chance.values()), abs=1e-6), factory
    assert seen > 30
    new = world["factories"].set_index("factory_id").loc["new"]
    assert {name: new[f"works_by_{name}"] for name in keys} == pytest.approx(VARS["prior_manners"])


def test_a_score_is_the_sum_of_its_points_by_the_profile_of_the_category(world: dict[str, Any]) -> None:
    parts = world["factory_score_components"]
    scores = world["factory_scores"].set_index(["factory_id", "category"])
    for (factory, category), rows in parts.groupby(["factory_id", "category"]):
        weights = VARS["score_weights"][VARS["score_profile"].get(category, "apparel")]
        assert rows.set_index("component")["weight"].to_dict() == pytest.approx(
            {name: weight / sum(weights.values()) for name, weight in weights.items()}
        )
        assert scores.loc[(factory, category), "score"] == pytest.approx((100 * rows["weight"] * rows["value"]).sum())
    rates = expected_rates(world["jobs"], DAY)
    on_time = parts[parts["component"] == "on_time"]
    expected = [np.clip(2 * rates[r.factory_id, r.category, "on_time"] - 1, 0, 1) for r in on_time.itertuples()]
    assert on_time["value"].tolist() == pytest.approx(expected)


def test_bands_are_held_within_their_margin_and_a_new_factory_is_on_trial(world: dict[str, Any]) -> None:
    borders = [VARS["bands"][name]["score"] for name in "CBA"]

    def rank(score: float) -> int:
        return sum(score >= border for border in borders)

    daily = world["all_components"].groupby(["factory_id", "category", "as_of"])["points"].sum()
    for row in world["factory_scores"].itertuples():
        if row.factory_id == "new":
            assert row.band == "trial"
            assert row.reason.startswith("trial: 0 of 3 job orders settled")
            assert row.order_cap_pieces == VARS["bands"]["trial"]["order_cap_pieces"]
            continue
        scores = daily[row.factory_id, row.category].sort_index().tolist()
        held = rank(scores[0])
        for score in scores[1:]:
            held = max(rank(score - VARS["band_margin"]), min(held, rank(score + VARS["band_margin"])))
        assert len(scores) == VARS["band_days"]
        assert row.band == "DCBA"[held]
        assert row.exposure_share == VARS["bands"][row.band]["exposure_share"]
        assert row.reason.startswith(f"{row.band} at {row.score:.0f} of 100")


def test_python_and_dbt_mean_the_same_by_a_small_order_and_by_memory() -> None:
    assert VARS["small_order_pieces"] == factory_record.SMALL_ORDER_PIECES
    assert VARS["efficiency_memory"] == promised_dates.MEMORY
