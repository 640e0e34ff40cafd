"""A folder that is there is whole: what broke off before is never read, and two that make the same one make it once."""

import multiprocessing
import time
from pathlib import Path

import pandas as pd
import pytest

from c2m.files import make_folder, read_rows


def half(folder: Path) -> None:
    (folder / "first").write_text("1")
    raise RuntimeError("power cut")


def whole(folder: Path) -> None:
    (folder / "first").write_text("1")
    (folder / "second").write_text("2")


def slow(folder: Path) -> None:
    with (folder.parent / "calls").open("a") as calls:
        calls.write("x")
    (folder / "first").write_text("1")
    time.sleep(0.3)
    whole(folder)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_what_broke_off_is_not_there_and_the_next_try_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="power cut"):
        make_folder(tmp_path / "day" / "plan", half)
    assert not (tmp_path / "day" / "plan").exists()
    make_folder(tmp_path / "day" / "plan", lambda folder: (folder / "second").write_text("2"))
    assert names(tmp_path / "day" / "plan") == ["second"]
    assert names(tmp_path / "day") == ["plan"]


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    make_folder(tmp_path / "plan", whole)
    make_folder(tmp_path / "plan", half)
    assert names(tmp_path / "plan") == ["first", "second"]


def test_of_two_processes_one_makes_it_and_the_other_waits(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would inherit the threads and locks of the tests before
    makers = [context.Process(target=make_folder, args=(tmp_path / "plan", slow)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0, 0]
    assert names(tmp_path / "plan") == ["first", "second"]
    assert (tmp_path / "calls").read_text() == "x"


def test_ids_that_look_like_numbers_or_like_nothing_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"factory_id": ["007", "NA", "1e5"], "from_place": ["null", "0", "x"], "late": [1.5, None, 0.0]}
    )
    rows.to_csv(tmp_path / "x.csv", index=False)
    pd.testing.assert_frame_equal(read_rows(tmp_path / "x.csv"), rows, check_dtype=False)
