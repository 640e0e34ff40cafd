"""The stock behind an order quantity: a plan of the day may read the marts that the robot built during the day."""

import json
from datetime import date
from pathlib import Path

import pytest

from c2m.feeds import landing
from c2m.warehouse import published
from c2m.why import stock

DAY = date(2026, 4, 13)


@pytest.mark.parametrize(("as_of", "holds"), [("2026-04-13", True), ("2026-04-14", True), ("2026-04-15", False)])
def test_marts_of_the_day_and_of_the_floor_during_it_hold(home: Path, as_of: str, holds: bool) -> None:
    landing.ensure_landing()
    marts = {name: {"file": f"b/{name}.parquet"} for name in ("stock_position", "skus", "styles")}
    manifest = {"business_date": as_of, "landed": [], "marts": marts}
    file = home / "manifests" / "b.json"
    file.parent.mkdir()
    file.write_text(json.dumps(manifest))
    lot = {"build_id": "b", "business_date": DAY, "merchant_id": "m", "style_id": "s"}
    with landing.connect() as connection:
        assert stock.of_skus(connection, lot, []).holds is holds
    assert published.as_of(manifest, DAY) == ("2026-04-14" if as_of == "2026-04-14" else "2026-04-13")
