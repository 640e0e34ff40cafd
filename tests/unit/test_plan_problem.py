"""Reading an instance: every fault at once, nothing guessed; the same content has the same fingerprint."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plan_kit import instance

from c2m.errors import InputError
from optimization.contract.instances import Instance, read, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid instance as files."""
    write(small(), tmp_path / "instance")
    return tmp_path / "instance"


def small() -> Instance:
    return instance(
        orders=[{"order_id": "A", "quantity": 10, "release_day": 2}, {"order_id": "B", "quantity": 5}],
        arcs=[
            {"order_id": "B", "factory_id": "F"},
            {"order_id": "A", "factory_id": "F", "max_minutes_per_day": 30.5},
            {"order_id": "A", "factory_id": "G", "release_day": 3},
        ],
        capacity=[{"factory_id": f, "day": d, "minutes": 480.25} for f in "FG" for d in (1, 2, 3)],
        factories=[{"factory_id": "F", "engagement_cost": 9.5}],
        incumbent=[{"order_id": "A", "factory_id": "G", "quantity": 4, "frozen": True}],
    )


def change(folder: Path, table: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Applies an edit to one table, all cells as text."""
    file = folder / f"{table}.csv"
    edit(pd.read_csv(file, dtype=str, keep_default_na=False)).to_csv(file, index=False)


def faults(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(folder)
    assert caught.value.exit_code == 2
    return caught.value.faults


def cell(column: str, value: str, row: int = 0) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def edit(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return edit


def test_optional_cells_take_their_meaning(folder: Path) -> None:
    problem = read(folder)
    arcs = problem.arcs.set_index(["lot_id", "factory_id"])
    assert arcs["release_day"].to_dict() == {("A", "F"): 2, ("A", "G"): 3, ("B", "F"): 1}
    assert arcs["max_minutes_per_day"].to_dict() == {("A", "F"): 30.5, ("A", "G"): np.inf, ("B", "F"): np.inf}
    assert problem.horizon_days == 3
    assert not problem.incumbent["setup_done"].any()
    assert problem.factories["target_minutes"].tolist() == [0.0]


def test_writing_twice_gives_the_same_bytes_and_reading_back_the_same_fingerprint(folder: Path) -> None:
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    problem = read(folder)
    write(problem, folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == first
    assert problem.sha256 == small().sha256


def test_fingerprint_ignores_row_order_and_file_format_but_no_value(folder: Path) -> None:
    before = read(folder).sha256
    table = pd.read_csv(folder / "arcs.csv").iloc[::-1]
    (folder / "arcs.csv").unlink()
    table.to_parquet(folder / "arcs.parquet")
    assert read(folder).sha256 == before
    table.assign(unit_cost=2.0).to_parquet(folder / "arcs.parquet")
    assert read(folder).sha256 != before


@pytest.mark.parametrize(
    ("table", "column", "value", "expected"),
    [
        ("orders", "quantity", "0", "orders row 1: quantity=0; expected a whole number >= 1"),
        ("orders", "quantity", "2.5", "orders row 1: quantity=2.5; expected a whole number >= 1"),
        ("orders", "late_cost", "nan", "orders row 1: late_cost=nan; expected a number from 0 to 1e+15"),
        ("orders", "unmet_cost", "inf", "orders row 1: unmet_cost=inf; expected a number from 0 to 1e+15"),
        ("orders", "unmet_cost", "", "orders row 1: unmet_cost=; expected a number from 0 to 1e+15"),
        ("orders", "order_id", "a b", "orders row 1: order_id=a b; expected 1 to 64 of A-Z a-z 0-9 _ -"),
        ("orders", "order_id", "B", "orders row 2: order_id=B; stands twice; keep one row per key"),
        ("orders", "due_day", "2026-01-01", "orders row 1: due_day=2026-01-01; expected a whole number"),
        ("arcs", "order_id", "Z", "arcs row 1: order_id=Z; is not in orders"),
        ("arcs", "factory_id", "Z", "arcs row 1: factory_id=Z; is neither in factories nor in capacity"),
        ("arcs", "unit_cost", "-1", "arcs row 1: unit_cost=-1; expected a number from 0 to 1e+15"),
        ("arcs", "minutes_per_piece", "0", "arcs row 1: minutes_per_piece=0; expected a number from 1e-06 to 1e+15"),
        ("arcs", "min_lot", "1000", "arcs row 1: min_lot=1000, max_lot=999; expected min_lot <= max_lot"),
        ("arcs", "max_minutes_per_day", "-3", "arcs row 1: max_minutes_per_day=-3; expected a number from 0 to 1e+15"),
        ("capacity", "minutes", "1e300", "capacity row 1: minutes=1e300; expected a number from 0 to 1e+15"),
        ("capacity", "day", "0", "capacity row 1: day=0; expected a whole number >= 1"),
        ("capacity", "day", "99", "capacity row 1: factory_id=F, day=99; days end at 3"),
        ("incumbent", "frozen", "maybe", "incumbent row 1: frozen=maybe; expected true or false"),
        ("incumbent", "order_id", "B", "incumbent row 1: order_id=B, factory_id=G; is frozen but has no arc"),
    ],
)
def test_a_bad_cell_is_named(folder: Path, table: str, column: str, value: str, expected: str) -> None:
    change(folder, table, cell(column, value))
    assert expected in faults(folder)


def test_all_faults_come_at_once(folder: Path) -> None:
    change(folder, "orders", cell("quantity", "-1"))
    change(folder, "arcs", cell("unit_cost", "x"))
    change(folder, "capacity", lambda table: table.drop(columns="minutes"))
    (folder / "factories.csv").write_bytes(b"factory_id\n\xff\xfe\n")
    (folder / "instance.json").write_text('{"horizon_days": 0, "day_1": "soon"}')
    (folder / "incumbent.csv").write_text("order_id,factory_id,quantity,change_cost,frozen\nA,G,1\n")
    text = "\n".join(faults(folder))
    for part in ("quantity=-1", "unit_cost=x", "column minutes is missing", "factories.csv: cannot be read",
                 "horizon_days is 0", "day_1 is 'soon'", "incumbent.csv: cannot be read"):  # fmt: skip
        assert part in text


def test_a_day_that_is_a_typing_error_fills_no_memory(folder: Path) -> None:
    (folder / "instance.json").unlink()
    change(folder, "capacity", cell("day", "100000000"))
    assert "capacity row 1: factory_id=F, day=100000000; at most 10,000 days are planned" in faults(folder)


def test_what_a_fault_quotes_is_cut(folder: Path) -> None:
    change(folder, "orders", cell("quantity", "9" * 100_000))
    assert max(map(len, faults(folder))) < 200


def test_many_bad_rows_are_counted(folder: Path) -> None:
    rows = [("A", f"F{n}", -1, 1, 0, 0, 0, 9, 0) for n in range(50)]
    columns = pd.read_csv(folder / "arcs.csv").columns[:9]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "arcs.csv", index=False)
    named = faults(folder)
    assert sum("unit_cost=-1" in fault for fault in named) == 20
    assert "arcs: 30 more rows of that kind" in named


def test_missing_files_and_empty_tables_are_named(tmp_path: Path, folder: Path) -> None:
    assert "no such folder" in faults(tmp_path / "nowhere")[0]
    (folder / "capacity.csv").unlink()
    assert any("neither capacity.csv nor capacity.parquet" in fault for fault in faults(folder))


def test_no_arcs_and_two_formats_are_refused(folder: Path) -> None:
    change(folder, "arcs", lambda table: table.head(0))
    assert "arcs: no row; expected at least one factory for one order" in faults(folder)
    pd.read_csv(folder / "orders.csv").to_parquet(folder / "orders.parquet")
    assert "orders: both orders.csv and orders.parquet are there; keep one" in faults(folder)


def test_header_that_is_no_object_is_refused(folder: Path) -> None:
    (folder / "instance.json").write_text(json.dumps([1]))
    assert "instance.json: expected a JSON object with horizon_days, day_1, currency" in faults(folder)
    (folder / "instance.json").write_text("{")
    assert "instance.json: cannot be read" in faults(folder)[0]
