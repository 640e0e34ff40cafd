"""Cases of the allocation benchmark: what the readers make of public files, what the generator's knobs do."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.allocation import cases, generator
from optimization.contract import instances
from optimization.contract.instances import Instance


def read(name: str, folder: Path) -> Instance:
    cases.case(name).write(folder)
    return instances.read(folder)


@pytest.mark.shared
def test_every_public_case_has_its_published_value(shared_data: Path) -> None:
    found = pd.Series({name: case.family for name, case in cases.every().items()})
    assert found.value_counts().to_dict() == {"holmberg": 71, "orlib": 37, "gap": 18, "capa": 4}
    values = {name: cases.case(name).published for name in ("cap41", "capa_8000", "holmberg_p1", "gap_c05100")}
    assert values == {"cap41": 1040444.375, "capa_8000": 19240822.449, "holmberg_p1": 8848, "gap_c05100": 1931}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "lots", "sites"), [("cap41", 50, 16), ("holmberg_p71", 200, 30), ("gap_c20200", 200, 20)]
)
def test_every_pair_is_possible(name: str, lots: int, sites: int, shared_data: Path, tmp_path: Path) -> None:
    instance = read(name, tmp_path)
    assert (len(instance.orders), len(instance.factories), len(instance.arcs)) == (lots, sites, lots * sites)
    assert instance.horizon_days == 1


@pytest.mark.shared
@pytest.mark.parametrize("name", ["holmberg_p1", "holmberg_p71", "gap_a05100", "gap_c20200"])
def test_a_single_source_takes_the_whole_and_leaving_a_lot_never_pays(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    instance = read(name, tmp_path)
    assert (instance.arcs["min_lot"] == instance.arcs["max_lot"]).all()
    assert (instance.orders["max_factories"] == 1).all()
    least = instance.arcs["unit_cost"] * instance.arcs["max_lot"]
    left = instance.orders["unmet_cost"] * instance.orders["quantity"]
    published = cases.case(name).published
    assert published is not None
    assert left.min() > published - least.groupby(instance.arcs["lot_id"]).min().sum()


@pytest.mark.shared
def test_capa_has_its_capacity_from_the_name(shared_data: Path, tmp_path: Path) -> None:
    instance = read("capa_12000", tmp_path)
    assert set(instance.capacity["minutes"]) == {12000.0}
    assert len(instance.arcs) == 100_000


@pytest.mark.shared
def test_the_frozen_generator_writes_both_flavours(shared_data: Path, tmp_path: Path) -> None:
    plain, full = read("plain_30x8_s3", tmp_path / "plain"), read("full_30x8_s3", tmp_path / "full")
    assert plain.arcs.equals(full.arcs)
    assert plain.incumbent.empty
    assert len(full.incumbent) > 0


def test_one_seed_is_one_instance(tmp_path: Path) -> None:
    name = "own_60x20_s5,load=0.8,candidates=4"
    assert read(name, tmp_path / "a").sha256 == read(name, tmp_path / "b").sha256
    assert read(name, tmp_path / "a").sha256 != read(name.replace("s5", "s6"), tmp_path / "c").sha256


def test_knobs_turn_what_they_say() -> None:
    made = generator.shape(
        "own_400x60_s2,load=0.9,slack_days=3,off_share=0.4,candidates=4,capped_share=1,delayed_share=0"
    )
    assert made == generator.Shape(400, 60, 2, 14, 0.9, 3, 0.4, 1.0, 4, 1.0, 0.0)
    tables = generator.draw(made)
    orders, arcs, capacity = tables["orders"], tables["arcs"], tables["capacity"]
    assert ((orders["due_day"] - orders["release_day"]).between(0, 3)).all()
    assert (capacity["minutes"] == 0).mean() == pytest.approx(0.4, abs=0.05)
    assert arcs.groupby("order_id").size().max() <= 4
    assert arcs["max_minutes_per_day"].notna().all()
    assert arcs["release_day"].equals(arcs["order_id"].map(orders.set_index("order_id")["release_day"]))
    work = arcs.groupby("order_id")["minutes_per_piece"].mean() * orders.set_index("order_id")["quantity"]
    assert work.sum() / capacity["minutes"].sum() == pytest.approx(0.9 * 1.05, rel=0.1)  # 1.05: mean of 0.9 to 1.2


def test_a_name_that_no_case_has_is_refused() -> None:
    assert generator.shape("plain_10x5_s1") is None
    assert generator.shape("own_10x5") is None
