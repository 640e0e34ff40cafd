"""Cells of exports: a spreadsheet carries out none of them, and a corrected file gives back what had come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2m.feeds.forms.cells import neutral, restored

CELLS = st.text(st.one_of(st.sampled_from("'=+-@\t\r\n\x00\x07\x1b\x7f"), st.characters(exclude_categories=["Cs"])))


@given(CELLS.filter(lambda text: not any(0x2400 <= ord(letter) <= 0x2421 for letter in text)))
def test_what_is_neutral_comes_back(text: str) -> None:
    shown = neutral(text)
    assert restored(shown) == text
    assert not any(ord(letter) < 32 and letter not in "\t\n\r" for letter in shown)
    assert not shown.startswith(("=", "@", "\t", "\r"))
    assert not shown.startswith(("+", "-")) or set(shown[1:]) <= {*"0123456789.,eE+-%"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("-5", "-5"),
        ("+3,20", "+3,20"),
        ("-1+cmd", "'-1+cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("'=x", "''=x"),
        ("O'Neill", "O'Neill"),
        ("\x1b[2Jred", "␛[2Jred"),
    ],
)
def test_formulas_and_control_characters(text: str, shown: str) -> None:
    assert neutral(text) == shown
