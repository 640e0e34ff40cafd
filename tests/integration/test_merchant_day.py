"""The merchant API beside a home that has had its day: quotes against the plan in force, and the orders from them."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from api_kit import Caller
from day_kit import ROOT

from c2m import clock
from c2m.doors import App
from c2m.feeds import landing
from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger import plans
from c2m.ledger.store import session
from c2m.rooms import app
from c2m.settings import settings
from c2m.warehouse.published import read
from flows import services
from flows.desk import Desk
from optimization.contract.plan import day_loads

pytestmark = pytest.mark.long

LEFT_OUT = shutil.ignore_patterns("mlflow*", "prefect", "broker", "*_docs", "gx", "logs", "spill")


@pytest.fixture(scope="module")
def day(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[date]:
    """A copy of the day's home, at noon of the day of its plan."""
    home = tmp_path_factory.mktemp("merchant") / "home"
    shutil.copytree(undisturbed, home, ignore=LEFT_OUT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(home))
        settings.cache_clear()
        with session() as s:
            found = plans.in_force(s)
        assert found
        clock.set_now(clock.cut_off(found.business_date) + timedelta(hours=12))
        yield found.business_date
    settings.cache_clear()


@pytest.fixture(scope="module")
def desk(day: date) -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def served(desk: Desk) -> App:
    return app.create(desk)


@pytest.fixture(scope="module")
def merchant(served: App) -> Caller:
    return Caller(served, "merchant", "m01")


@pytest.fixture(scope="module")
def lines(day: date) -> list[dict[str, Any]]:
    """A style of the merchant, in all its sizes."""
    skus = read("skus").query("merchant_id == 'm01'").sort_values("sku_id")
    style = skus[skus["style_id"] == skus["style_id"].iloc[0]]
    return [{"sku_id": sku_id, "quantity": 60} for sku_id in style["sku_id"]]


def test_a_quote_becomes_an_order_whose_minutes_are_kept(
    merchant: Caller, desk: Desk, day: date, lines: list[dict[str, Any]]
) -> None:
    quote = merchant.post("/quotes", {"lines": lines})
    best = quote["offers"][0]
    assert quote["quantity"] == 60 * len(lines) == sum(maker["quantity"] for maker in best["makers"])
    assert best["name"] == "soonest" and best["probability"] >= settings().plan.promise_level
    assert str(day) < best["planned_on"] <= best["promised_on"] <= quote["horizon_ends_on"]
    # Today's plan is made: that of tomorrow is the first to know the order, and begins on the day after.
    assert all(maker["start_on"] > str(day + timedelta(days=1)) for maker in best["makers"])
    assert best["price"] == pytest.approx(sum(best["cost"].values()), abs=0.01)
    taken = merchant.post(f"/quotes/{quote['quote_id']}/order", {"offer": "soonest", "code": "Q-1"})
    assert taken["due_on"] == best["promised_on"]
    again = merchant.post(f"/quotes/{quote['quote_id']}/order", {"offer": "soonest", "code": "Q-1"})
    assert again == taken
    other = merchant.call("POST", f"/quotes/{quote['quote_id']}/order", {"offer": "soonest", "code": "Q-2"})
    assert (other.status_code, other.json()["type"]) == (409, "quote-taken")
    seen = merchant.get(f"/orders/{taken['order_id']}")
    assert (seen["state"], seen["waits_for"], seen["quantity"]) == ("received", "plan", quote["quantity"])
    rows = landing.latest("merchant_order_lines").query(f"order_id == '{taken['order_id']}'")
    assert dict(zip(rows["sku_id"], rows["quantity"], strict=True)) == {one["sku_id"]: 60 for one in lines}


def test_a_quote_is_asked_for_and_taken_in_the_form(served: App, lines: list[dict[str, Any]]) -> None:
    shop = Caller(served, "merchant", "m01")
    entered = shop.call("POST", "/in", below="", data={"token": shop.token})
    known: dict[str, Any] = {"below": "", "headers": {"cookie": entered.headers["set-cookie"].partition(";")[0]}}
    csrf = re.search(r'name="csrf" value="([^"]+)"', shop.call("GET", "/merchant/new", **known).text)
    assert csrf
    style = read("skus").set_index("sku_id")["style_id"][lines[0]["sku_id"]]
    pieces = {f"pieces-{one['sku_id']}": "60" for one in lines}
    form = {"csrf": csrf[1], "style": style, "act": "quote", **pieces}
    asked = shop.call("POST", "/merchant/new", data=form, **known)
    assert asked.status_code == 303, asked.text
    path = asked.headers["location"]
    page = shop.call("GET", path, **known).text
    assert "As soon as possible" in page and "100 %" not in page  # no date is certain
    nameless = shop.call("POST", path, data={"csrf": csrf[1], "offer": "soonest"}, **known)
    assert (nameless.status_code, "number of yours" in nameless.text) == (409, True)
    taken = shop.call("POST", path, data={"csrf": csrf[1], "offer": "soonest", "code": "FORM-1"}, **known)
    assert taken.status_code == 303 and "FORM-1" in shop.call("GET", taken.headers["location"], **known).text
    other = Caller(served, "merchant", "m02")
    entered = other.call("POST", "/in", below="", data={"token": other.token})
    known["headers"] = {"cookie": entered.headers["set-cookie"].partition(";")[0]}
    assert other.call("GET", path, **known).status_code == 404


def test_accepted_offers_and_the_plan_never_share_a_minute(
    merchant: Caller, desk: Desk, lines: list[dict[str, Any]]
) -> None:
    """Quotes are taken until a factory's days are full: load of plan and offers stays within what was offered."""
    from c2m.ledger.rooms import quotes
    from c2m.rooms.tenants import quoted

    for number in range(3):
        quote = merchant.post("/quotes", {"lines": [one | {"quantity": 200} for one in lines]})
        for offer in quote["offers"][:1]:
            merchant.post(f"/quotes/{quote['quote_id']}/order", {"offer": offer["name"], "code": f"FULL-{number}"})
    room = desk.room()
    with session() as s:
        offers = [quoted._given(row) for row in quotes.accepted(s, clock.now() - timedelta(days=1))]
    taken = pd.DataFrame(
        [
            {"factory_id": one.factory_id, "day": room.day_of(one.on), "load": one.minutes}
            for given in offers
            for one in given.offered(given.offer).taken
        ]
    )
    assert len(offers) >= 4
    load = pd.concat([day_loads(room.plan.schedule), taken]).groupby(["factory_id", "day"])["load"].sum()
    limit = room.offered.set_index(["factory_id", "day"])[["minutes", "overtime_minutes"]].sum(axis=1)
    assert (load <= limit.reindex(load.index) + 1e-3).all()


def test_an_offer_that_others_have_taken_is_outdated(
    served: App, merchant: Caller, lines: list[dict[str, Any]]
) -> None:
    asked = {"lines": [one | {"quantity": 100} for one in lines]}
    first, second = (merchant.post("/quotes", asked) for _ in range(2))
    merchant.post(f"/quotes/{first['quote_id']}/order", {"offer": "soonest", "code": "FIRST"})
    late = merchant.call("POST", f"/quotes/{second['quote_id']}/order", {"offer": "soonest", "code": "SECOND"})
    assert (late.status_code, late.json()["type"]) == (409, "quote-outdated")
    stranger = Caller(served, "merchant", "m02")
    assert stranger.call("GET", f"/quotes/{first['quote_id']}").status_code == 404


def test_a_pressed_offer_says_what_it_delays(merchant: Caller, day: date, lines: list[dict[str, Any]]) -> None:
    wanted = {"lines": [one | {"quantity": 250} for one in lines], "wanted_on": str(day + timedelta(days=6))}
    offers = {offer["name"]: offer for offer in merchant.post("/quotes", wanted)["offers"]}
    assert all(offer["promised_on"] > wanted["wanted_on"] for name, offer in offers.items() if name != "pressed")
    if pressed := offers.get("pressed"):
        assert pressed["planned_on"] <= wanted["wanted_on"]
        assert (pressed["delays"] > 0) == (pressed["delays_cost"] > 0)
        assert all(pressed["planned_on"] < offer["planned_on"] for name, offer in offers.items() if name != "pressed")


def test_the_examples_of_the_document_work(
    served: App, merchant: Caller, day: date, lines: list[dict[str, Any]]
) -> None:
    """In a shell, with curl, on a served port; what the reader takes from one answer goes into the next request."""
    examples = [(one, merchant.token) for one in _examples("merchants.md")]
    examples += [(one, Caller(served, "factory", "F00001").token) for one in _examples("factories.md")]
    known = {"SKU": lines[0]["sku_id"]}
    with services.rooms(port := free_port()):
        known |= {"C2M": f"http://{LOOPBACK}:{port}/api/v1", "ROOMS": f"http://{LOOPBACK}:{port}"}
        for example, token in examples:
            known["TOKEN"] = token
            done = subprocess.run(["bash", "-c", example], env=os.environ | known, capture_output=True, text=True)
            assert done.returncode == 0, (example, done.stdout, done.stderr)
            told = json.loads(done.stdout)
            for name, key in (("QUOTE", "quote_id"), ("ORDER", "order_id")):
                known |= {name: told[key]} if told.get(key) else {}
    assert len(examples) >= 12


def _examples(page: str) -> list[str]:
    """Commands of a page of the documentation."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    return [one for block in blocks for one in re.split(r"\n(?=curl)", block.strip())]
