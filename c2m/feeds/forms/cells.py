"""Cells of a CSV file that a spreadsheet or a terminal opens: nothing in them is carried out, and all of it comes back.

A text that a spreadsheet would take for a formula gets an apostrophe in front; control characters show as their
Unicode pictures.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*([eE][+-]?\d+)?%?")
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"} | {0x7F: 0x2421}
_CONTROLS = {picture: code for code, picture in _PICTURES.items()}


def neutral(text: str) -> str:
    """The text as it may stand in a file that people open."""
    text = text.translate(_PICTURES)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restored(text: str) -> str:
    """What `neutral` was given."""
    text = text.translate(_CONTROLS)
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text
