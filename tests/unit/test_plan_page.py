"""Parts of a plan's page, from the files of its folder."""

from pathlib import Path

import pandas as pd
import pytest

from flows import plan_page

LABELS = pd.DataFrame([{"lot_id": "l1", "order_id": "o1", "order": "o1", "due_on": "2026-06-09", "style": "s"}])
PLACED = pd.DataFrame([{"lot_id": "l1", "finish_on": day} for day in ("2026-06-07", "2026-06-08")])
DATED = {"order_id": "o1", "unplaced": 0, "planned_on": "2026-06-07", "promised_on": "2026-06-09", "probability": 0.9}


@pytest.mark.parametrize(("modelled", "words"), [(0.9, "| 90 % |  | o1 |"), (0.97, "| 90 % | 97 % |  | o1 |")])
def test_a_corrected_date_shows_what_the_model_says_too(tmp_path: Path, modelled: float, words: str) -> None:
    pd.DataFrame([DATED | {"modelled": modelled}]).to_csv(tmp_path / "promises.csv", index=False)
    *_, shown = plan_page.promised(tmp_path, PLACED, LABELS)
    assert words in shown
    assert "| 2026-06-08 | 2026-06-09 |" in shown  # the last that a factory is asked for, and what is promised
    assert ("by the model alone" in shown) == (modelled != DATED["probability"])


def test_orders_that_are_alike_stand_in_one_row_and_no_date_is_certain(tmp_path: Path) -> None:
    many = pd.concat([LABELS.assign(lot_id=f"l{n}", order_id=f"o{n}", order=f"Shopper {n}") for n in range(1, 6)])
    placed = pd.concat([PLACED.assign(lot_id=f"l{n}") for n in range(1, 6)])
    dated = pd.DataFrame([DATED | {"order_id": f"o{n}", "probability": 0.999, "modelled": 0.999} for n in range(1, 6)])
    dated.loc[4, "promised_on"] = "2026-06-10"
    dated.to_csv(tmp_path / "promises.csv", index=False)
    *_, shown = plan_page.promised(tmp_path, placed, many)
    _, _, *rows = shown.strip().split("\n")
    alike, other = rows
    assert alike.startswith("| 4 orders: Shopper 1 to Shopper 4 |")
    assert "| over 99 % |" in alike
    assert other.startswith("| Shopper 5 |")
    assert other.endswith("| o5 |")
