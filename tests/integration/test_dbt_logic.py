"""dbt's own unit tests of the models, the pages that dbt writes, and what is published of a build, good or bad."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from warehouse_world import build, dbt, land, moment, sale, sku

from c2m.errors import InputError
from c2m.files import sha256
from c2m.settings import settings
from c2m.warehouse import published

DAY = date(2022, 6, 1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a warehouse of two styles; built once, since a build takes seconds."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(folder))
        settings.cache_clear()
        land("catalogue", [sku("s-M", attributes='{"cuff": "wide"}'), sku("s-L"), sku("t-M", price=90)])
        land("sales_lines", [sale("1", date(2022, 5, 30), quantity=3), sale("2", date(2022, 5, 31), sku_id="s-L")])
        build(DAY)
    return folder


@pytest.fixture
def day_one(home: Path, built: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(built, home, dirs_exist_ok=True)
    return home


def test_the_logic_of_the_models_holds_and_is_documented(day_one: Path) -> None:
    tested = dbt("test", DAY, "--select", "test_type:unit", "--warn-error")
    assert tested.success, [result.message for result in tested.result]
    assert len(tested.result) >= 18
    assert dbt("docs generate --static", DAY).success
    assert "size_share" in published.keep_docs().read_text(encoding="utf-8")
    models = json.loads((day_one / "dbt_target" / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    marts = [model for model in models if model["resource_type"] == "model" and model["schema"] == "marts"]
    assert len(marts) == 41
    for mart in marts:
        assert mart["contract"]["enforced"], mart["name"]
        assert mart["description"], mart["name"]
        assert all(column["description"] for column in mart["columns"].values()), mart["name"]
        money = [name for name, column in mart["columns"].items() if column["data_type"] == "decimal(18,4)"]
        assert not money or "currency" in mart["columns"], f"{mart['name']}: in what currency are {money}?"


def test_a_good_build_is_published_whole_and_the_old_one_stays_readable(day_one: Path) -> None:
    first = published.publish(DAY)
    manifest = published.manifest()
    assert manifest["business_date"] == "2022-06-01"
    for mart in manifest["marts"].values():
        assert sha256(settings().published / mart["file"]) == mart["sha256"]
    styles = published.read("styles").set_index("style_id")
    assert styles.loc["s", "pieces_28d"] == 4
    assert styles.loc["t", "price"] == 90
    assert str(styles["category"].dtype) == "str"
    weekly, pieces = published.read("demand_weekly"), published.read("demand_daily")["pieces_asked"].sum()
    assert weekly.groupby("dimension")["pieces_asked"].sum().to_dict() == {"channel": pieces, "region": pieces}
    told = published.read("style_attributes").set_index(["style_id", "attribute"])["value"]
    assert told.to_dict() == {("s", "category"): "kurta", ("s", "cuff"): "wide", ("t", "category"): "kurta"}
    assert published.publish(DAY) == first  # the same marts, the same build
    with pytest.raises(InputError, match="no mart 'style'; published are batches, demand_daily"):
        published.read("style")
    with pytest.raises(InputError, match="built for 2022-06-01, not for 2022-06-02"):
        published.publish(DAY + timedelta(days=1))

    land("sales_lines", [sale("3", DAY)])
    build(DAY + timedelta(days=1))
    second = published.publish(DAY + timedelta(days=1))
    assert second != first
    assert first.is_dir()
    assert published.read("demand_daily")["pieces_asked"].sum() == 5


def test_a_build_that_breaks_a_contract_is_not_published(day_one: Path) -> None:
    good = published.publish(DAY)
    land("catalogue", [sku("u-M", currency=None, known_at=moment("2022-05-31"))])
    assert not dbt("build", DAY).success
    with pytest.raises(InputError, match=r"skus ended as error[^$]*NOT NULL") as error:
        published.publish(DAY)
    assert error.value.reason == "no-good-build"
    assert published.manifest()["build_id"] == good.name
    assert "u-M" not in set(published.read("skus")["sku_id"])


def test_old_builds_and_broken_off_copies_go(day_one: Path) -> None:
    (settings().published / ".part-broken").mkdir(parents=True)
    for n in range(published.KEPT_BUILDS + 2):
        (settings().published / f"20220101-{n}").mkdir()
    build_folder = published.publish(DAY)
    folders = {folder.name for folder in settings().published.iterdir() if folder.is_dir()}
    assert build_folder.name in folders
    assert len(folders) == published.KEPT_BUILDS
    assert ".part-broken" not in folders
