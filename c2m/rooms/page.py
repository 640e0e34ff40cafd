"""How a page is made: templates with the words of the reader's language, numbers and dates as people write them.

Templates escape whatever is filled in. No page holds a script or a style of its own, and the policy forbids it.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from c2m import clock
from c2m.rooms import texts
from c2m.rooms.entry import Person
from c2m.settings import settings

HERE = Path(__file__).parent
LANGUAGE = "c2m_language"  # cookie
NONE = "–"
# Address and key of its name, by role; the platform's own people share one.
MENU: dict[str, tuple[tuple[str, str], ...]] = {
    "operator": (
        ("/", "menu.today"),
        ("/exceptions", "menu.exceptions"),
        ("/orders", "menu.orders"),
        ("/board", "menu.board"),
        ("/network", "menu.network"),
        ("/plans", "menu.plans"),
        ("/market", "menu.market"),
        ("/figures", "menu.figures"),
    ),
    "merchant": (
        ("/merchant", "menu.merchant"),
        ("/merchant/new", "menu.new_order"),
        ("/merchant/shelf", "menu.shelf"),
        ("/merchant/voices", "menu.voices"),
        ("/merchant/coming", "menu.coming"),
        ("/merchant/market", "menu.market"),
        ("/merchant/designs", "menu.designs"),
        ("/merchant/catalogue", "menu.catalogue"),
    ),
    "factory": (
        ("/factory", "menu.factory"),
        ("/factory/load", "menu.load"),
        ("/factory/score", "menu.score"),
        ("/factory/terms", "menu.terms"),
    ),
}
ROOTS = ("/", "/merchant", "/factory")  # further pages lie below them, and are not they


def shown(request: Request, template: str, status: int = 200, **content: Any) -> HTMLResponse:
    """A page in the reader's language."""
    code = language(request)
    person: Person | None = getattr(request.state, "person", None)

    def words(key: str, **filled: object) -> str:
        return texts.text(code, key, **filled)

    def is_here(to: str) -> bool:
        return request.url.path == to or (to not in ROOTS and request.url.path.startswith(f"{to}/"))

    menu = MENU.get(person.grant.role, MENU["operator"]) if person else ()
    common: dict[str, Any] = {"person": person, "path": request.url.path, "today": clock.business_date(clock.now())}
    common |= {"menu": menu, "is_here": is_here}
    made = _environment().get_template(template)
    told = made.render(t=words, language=code, languages=texts.languages(), **common, **content)
    return HTMLResponse(told, status, {"content-language": code, "cache-control": "no-store"})


def words(request: Request, key: str) -> str:
    """A text in the reader's language."""
    return texts.text(language(request), key)


def language(request: Request) -> str:
    """The language in which someone reads."""
    return texts.chosen(request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))


def _environment() -> Environment:
    if _made:
        return _made[0]
    made = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    made.trim_blocks = made.lstrip_blocks = True
    made.filters |= {one.__name__: one for one in (chance, day, moment, whole, money, plain, share, short, one_place)}
    _made.append(made)
    return made


_made: list[Environment] = []


def _is_none(value: Any) -> bool:
    return value is None or (not isinstance(value, list | dict) and bool(pd.isna(value)))


def day(value: Any) -> str:
    """A date as 2026-04-13."""
    if _is_none(value):
        return NONE
    return f"{value:%Y-%m-%d}" if isinstance(value, date) else str(value)[:10]


def moment(value: Any) -> str:
    """A moment in the platform's zone, to the minute."""
    if _is_none(value):
        return NONE
    aware = value if isinstance(value, datetime) and value.tzinfo else pd.Timestamp(value, tz="UTC").to_pydatetime()
    return f"{aware.astimezone(ZoneInfo(settings().timezone)):%Y-%m-%d %H:%M}"


def whole(value: Any) -> str:
    """A number without decimals."""
    return NONE if _is_none(value) else f"{float(value):,.0f}"


def money(value: Any, currency: str) -> str:
    """An amount with its currency, without decimals."""
    return NONE if _is_none(value) else f"{round(float(value)):,} {currency}"  # never -0


def plain(value: Any) -> str:
    """A number as a field of a form takes it."""
    return "" if _is_none(value) else f"{float(value):.10g}"


def share(value: Any) -> str:
    """A share as a percentage."""
    return NONE if _is_none(value) else f"{100 * float(value):.0f} %"


def chance(value: Any) -> str:
    """A probability as a percentage; what rounds to 100 % is not certain."""
    return share(value) if _is_none(value) or float(value) < 0.995 else "> 99 %"


def one_place(value: Any) -> str:
    """A number with one decimal."""
    return NONE if _is_none(value) else f"{float(value):,.1f}"


def short(value: str) -> str:
    """The beginning of an id, enough for people to tell it from others."""
    return value[:8]
