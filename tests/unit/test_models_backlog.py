"""Work before a finish, beside a line that is worked off minute by minute."""

import numpy as np
import pandas as pd
import pytest

from models.finish.backlog import last_day, of_changes, work_until_finish


def worked_off(left: list[float], share: list[float], begin: list[float], step: float = 0.01) -> list[float]:
    """A line that spends its work in small steps by the rules of models/finish/backlog.py."""
    todo, finished, spent = list(left), [np.nan] * len(left), 0.0
    while any(work > 1e-9 for work in todo):
        begun = [n for n, work in enumerate(todo) if work > 1e-9 and share[n] > 0]
        if begun:
            total = sum(share[n] for n in begun)
            parts = {n: step * share[n] / total for n in begun}
        else:
            first = next(n for n, work in enumerate(todo) if work > 1e-9)
            parts = {first: step if spent >= begin[first] else 0.0}
        spent += step
        for n, part in parts.items():
            todo[n] -= part
            if todo[n] <= 1e-9:
                finished[n] = spent
    return finished


@pytest.mark.parametrize("seed", range(8))
def test_every_finish_is_where_the_line_comes_to_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    count, begun = 6, random.integers(0, 4)
    left, begin = random.uniform(0.5, 5, count), np.where(np.arange(count) < begun, 0.0, random.uniform(0, 20, count))
    share = np.where(np.arange(count) < begun, random.uniform(0.1, 1, count), 0.0)
    rows = pd.DataFrame({"line": "a", "left": left, "share": share, "begin": begin})
    other = rows.assign(line="b", left=rows["left"] * 2)
    both = pd.concat([rows, other]).iloc[np.argsort(np.tile(np.arange(count), 2), kind="stable")].reset_index(drop=True)
    found = work_until_finish(both)[(both["line"] == "a").to_numpy()]
    assert found == pytest.approx(worked_off(left.tolist(), share.tolist(), begin.tolist()), abs=0.1)


def test_changes_cost_a_day_once() -> None:
    rows = pd.DataFrame({"line": "a", "left": [50.0, 300.0, 20.0, 30.0], "share": [1.0, 0.0, 0.0, 0.0]})
    day_work = np.full(4, 100.0)
    assert of_changes(rows, day_work, 0.8).tolist() == pytest.approx([0.0, 20.0, 20.0, 4.0])
    assert last_day(rows, day_work, 0.8).tolist() == [0.8, 0.8, 1.0, 1.0]
