"""Lots in stages and pools as the plan's page and `c2m status` tell of them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
from test_groups import book

from flows import joint_page
from optimization.planning.solve import solve


def test_what_waits_for_what_and_what_a_piece_of_a_pool_costs(tmp_path: Path) -> None:
    whole = replace(book(), day_1=date(2026, 4, 14))
    lots = whole.orders["lot_id"]
    labels = pd.DataFrame(
        {"order": "PO " + lots, "style": "Crew", "colour": "Red", "due_on": "2026-05-01", "lot_id": lots}
    )
    plan = solve(whole, 20)
    rows = joint_page.rows_of(whole, plan, labels, joint_page.dated(whole, plan, tmp_path))
    first, last = rows["stages"]
    assert (first["stage"], first["factory"], first["waits for"], first["then to"]) == ("1: knit", "F", "nothing", "G")
    assert (last["stage"], last["waits for"], last["then to"]) == ("2: pack", "pieces of F", "the warehouse")
    assert last["starts"] > first["starts"]
    (pool,) = rows["pools"]
    assert (pool["orders"], pool["factory"], pool["pieces"]) == ("3: PO S1 to PO S3", "P", 3)
    assert (pool["costs a piece"], pool["alone"]) == (2.67, 6.0)
    text = "\n".join(joint_page.sections(rows))
    assert "## Lots in stages" in text
    assert "## Lots that share a setup" in text
    assert set(joint_page.others(whole, whole.orders)["lot_id"]) == {"A", "B"}
    assert joint_page.sections({}) == []
