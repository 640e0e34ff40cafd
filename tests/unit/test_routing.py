"""Styles with a routing of their own: which lots are made in stages, what is wrong with a routing, what lies where."""

import numpy as np
import pandas as pd

from c2m.domain.operations import Operation, crafts_of, operations_of, written
from optimization.book.daily_instance import once_there
from optimization.routing.hand_overs import in_chain
from optimization.routing.stage_lots import staged_book
from optimization.routing.styles import with_operations

SOCK = [("knit", "knit", 3.0, 1), ("link", "link", 1.0, 1), ("board", "board", 0.5, 2), ("pair", None, 0.4, 3)]
CAPABILITIES = pd.DataFrame(
    [
        *[(factory, "category", "socks") for factory in ("knitter", "boarder", "shirts")],
        *[("knitter", "craft", "knit"), ("knitter", "craft", "link"), ("boarder", "craft", "board")],
    ],
    columns=["factory_id", "kind", "name"],
)


def routing(style: str, steps: list[tuple[str, str | None, float, int]]) -> pd.DataFrame:
    rows = [("m", style, number, *step) for number, step in enumerate(steps, 1)]
    return pd.DataFrame(rows, columns=["merchant_id", "style_id", "step", "operation", "craft", "sam_minutes", "stage"])


def lots(*styles: str, sam_minutes: float = 4.9) -> pd.DataFrame:
    facts = {"merchant_id": "m", "category": "socks", "sam_minutes": sam_minutes, "waits": ""}
    return pd.DataFrame({"lot_id": styles, "style_id": styles}).assign(**facts)


def test_a_lot_is_made_in_stages_where_no_factory_has_all_its_crafts() -> None:
    steps = pd.concat(
        [routing("sock", SOCK), routing("tube", SOCK[:2]), routing("whole", [*SOCK[:1], ("link", "link", 1, 2)])]
    )
    found = with_operations(lots("sock", "tube", "whole", "shirt"), steps, CAPABILITIES).set_index("lot_id")
    assert found["stages"].to_dict() == {"sock": 3, "tube": 1, "whole": 1, "shirt": 1}
    assert (found["waits"] == "").all()
    assert found["operations"]["shirt"] is None
    first = operations_of(str(found["operations"]["sock"]), 1, 3)
    assert [one.name for one in first] == ["knit", "link", "inspect", "ship"]
    assert crafts_of(first) == ["knit", "link"]
    assert len(operations_of(str(found["operations"]["sock"]), 1, 1)) == 6


def test_every_fault_of_every_routing_is_named_at_once() -> None:
    bad = [("knit", "knit", 1.0, 2), ("dip", "dip", 1.0, 1), ("knit", None, 1.0, 4)]
    known = pd.concat([lots("bad", "good"), lots("bare", sam_minutes=0.0)], ignore_index=True)
    found = with_operations(known, pd.concat([routing("bad", bad), routing("good", SOCK)]), CAPABILITIES)
    waits = found.set_index("lot_id")["waits"]
    assert waits["good"] == ""
    assert "style bare has no operations" in waits["bare"]
    for words in ("comes back to knit, a circle", "dip of stage 1 after one of stage 2", "without a gap", "needs dip"):
        assert words in waits["bad"], words


def test_a_stage_begins_when_the_one_before_is_due_whatever_day_its_setup_has() -> None:
    jobs = [("sock", 1, 2, 4, 4), ("sock", 2, 1, 6, 7), ("sock", 3, 9, 11, 12), ("plain", 1, 3, 4, 5)]
    work = pd.DataFrame(jobs, columns=["lot_id", "stage", "start_day", "planned_day", "due_day"])
    assert once_there(work).tolist() == [2, 5, 9, 3]  # what is done on day 4 goes on in the next morning


def test_a_stage_is_due_no_sooner_than_it_can_end_once_all_pieces_of_the_one_before_are_there() -> None:
    """The plan ran stage 2 on what had come: three days of 100 minutes from day 3. All is there on day 5."""
    new = np.inf
    jobs = [("sock", 1, 1, 4, 5, 400.0, new), ("sock", 2, 3, 5, 6, 300.0, new), ("sock", 3, 6, 6, 8, 50.0, new)]
    jobs += [("held", 1, 1, 4, 5, 400.0, 0.0), ("held", 2, 3, 5, 6, 300.0, 0.0)]
    names = ["lot_id", "stage", "first_day", "planned_day", "due_day", "minutes", "before"]
    work = pd.DataFrame(jobs, columns=names).assign(factory_id="f", setup_minutes=0.0)
    found = in_chain(work, pd.DataFrame({"factory_id": ["f"]}), np.full((1, 30), 100.0))
    days = found[["first_day", "planned_day", "due_day"]].to_numpy().tolist()
    assert days == [[1, 4, 5], [5, 7, 8], [8, 8, 10], [1, 4, 5], [3, 5, 6]]  # what was told before stays
    plain = work.drop(columns="stage")
    assert in_chain(plain, pd.DataFrame({"factory_id": ["f"]}), np.full((1, 30), 100.0)) is plain


def test_pieces_between_stages_are_counted_once_where_they_lie() -> None:
    """100 asked: of 80 knitted 70 left, 40 of them came, 15 of those are boarded and 5 went on to be packed.

    Of the 30 that did not come 12 are lost then: they are knitted again.
    """
    lot = lots("sock").assign(
        stages=3, operations=written(Operation(*step) for step in SOCK), remaining=100, unit_cost_basis=1.0
    )
    names = ["lot_id", "stage", "stages", "factory_id", "next_factory_id", "made", "shipped", "arrived", "lost"]
    jobs = [
        ("sock", 1, 3, "knitter", "boarder", 80, 70, 0, 0),
        ("sock", 2, 3, "boarder", "packer", 15, 5, 40, 0),
        ("sock", 3, 3, "packer", None, 0, 0, 0, 0),
    ]
    place = {"latitude": 30.0, "longitude": [120.0, 121.0, 129.0], "handling_days": 1}
    factories = pd.DataFrame({"factory_id": ["knitter", "boarder", "packer"]}).assign(**place)
    ready = staged_book(lot, pd.DataFrame(jobs, columns=names), factories).ready
    found = {(row.stage, row.factory_id, row.day): row.quantity for row in ready.itertuples()}
    assert found == {
        (1, "knitter", 1): 10,
        (1, "boarder", 1): 25,
        (1, "boarder", 2): 30,
        (2, "boarder", 1): 10,
        (2, "packer", 3): 5,
    }
    known = pd.DataFrame(jobs, columns=names)
    lost = staged_book(lot, known.assign(lost=[12, 0, 0]), factories)
    assert ready["quantity"].sum() - lost.ready["quantity"].sum() == 12
    asked = lost.stages_of(lot, pd.DataFrame({"lot_id": [], "remaining": []})).set_index("lot_id")["remaining"]
    assert asked.tolist() == [100 - 68, 100 - 15, 100]
    fewer = staged_book(lot.assign(remaining=20), pd.DataFrame(jobs, columns=names), factories).ready
    assert fewer["quantity"].sum() == 20
    assert fewer.loc[fewer["stage"] == 2, "quantity"].sum() == 15
