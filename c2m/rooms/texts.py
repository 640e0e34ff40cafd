"""The words of the pages in each language: one YAML file a language in `words/`, with the same keys as English.

A key is `page.what`. A value may have places to fill in, {so}, and words that go by a number, {n:piece|pieces}. Another
language is another file.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from string import Formatter

import yaml

FALLBACK = "en"
FOLDER = Path(__file__).with_name("words")


@cache
def languages() -> dict[str, str]:
    """Name in its own words by code, the fallback first."""
    codes = sorted((file.stem for file in FOLDER.glob("*.yaml")), key=lambda code: (code != FALLBACK, code))
    return {code: catalogue(code)["language.name"] for code in codes}


@cache
def catalogue(code: str) -> dict[str, str]:
    """Text by key."""
    found: dict[str, dict[str, str]] = yaml.safe_load((FOLDER / f"{code}.yaml").read_text(encoding="utf-8"))
    return {f"{page}.{what}": str(text) for page, texts in found.items() for what, text in texts.items()}


def text(code: str, key: str, **filled: object) -> str:
    """A text in a language; an operation that a style's routing names is called what it is named there."""
    page, _, what = key.partition(".")
    if page in ("operation", "stage") and key not in catalogue(code):
        return what
    return _Words().format(catalogue(code)[key], **filled)


class _Words(Formatter):
    def format_field(self, value: object, spec: str) -> str:
        """A place filled in; of two words the first for a one, as pages show it."""
        one, bar, more = spec.partition("|")
        return (one if str(value) == "1" else more) if bar else str(super().format_field(value, spec))


def chosen(wish: str | None, accepted: str) -> str:
    """The language of a page: what a person chose, else the first that their browser accepts and we have."""
    if wish in languages():
        return str(wish)
    return next((code for code in _accepted(accepted) if code in languages()), FALLBACK)


def _accepted(header: str) -> Iterable[str]:
    """Codes of Accept-Language, the most wanted first; what cannot be read counts last."""
    wanted = []
    for part in header.split(",")[:20]:
        tag, _, quality = part.strip().partition(";q=")
        weight = float(quality) if quality.replace(".", "", 1).isdecimal() else float(not quality)
        wanted.append((-weight, tag.partition("-")[0].lower()))
    return [code for _, code in sorted(wanted, key=lambda pair: pair[0])]
