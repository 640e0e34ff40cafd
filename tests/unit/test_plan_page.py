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
