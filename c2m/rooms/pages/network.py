"""The network for operations: every factory with how far it has come in, what it has shown, and where it is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.domain.crafts import apart
from c2m.people.json_rows import records
from c2m.rooms import page
from c2m.rooms.entry import Operations
from c2m.rooms.scoped import view
from c2m.warehouse import published

routes = APIRouter(prefix="/network")
WIDTH, HEIGHT = 960.0, 420.0  # of the map's drawing
FILLED = 0.88  # of it
DOTS = 2_000  # that a map shows, those with most operators
STEPS_DEGREES = (0.5, 1, 2, 5, 10, 20, 30)  # of the grid


@routes.get("")
def network(request: Request, person: Operations) -> Response:
    """Factories, those that are not yet at work first; the map of all of them."""
    seen = view(person.grant)
    rows = seen.mart("factories") if published.is_published() else pd.DataFrame()
    if rows.empty:
        return page.shown(request, "network.html", rows=[], drawn=None)
    crafts = records(apart(seen.mart("factory_capabilities"), rows))
    rows = rows.assign(state=rows["onboarding"].fillna("active"), at_work=rows["status"] == "active")
    ranked = rows.sort_values(["at_work", "country", "factory_id"], kind="stable")
    return page.shown(request, "network.html", rows=records(ranked), drawn=drawing(rows), crafts=crafts)


@dataclass(frozen=True)
class Sheet:
    """A map on which a degree of latitude and one of longitude are about equally far, at the latitude of its middle.

    squeeze: degrees of longitude, as long as one of latitude; scale: units of the drawing per degree of latitude.
    """

    squeeze: float
    scale: float
    east: float
    north: float

    def across(self, degrees: "pd.Series[float]") -> "pd.Series[float]":
        """From the left rim, of degrees of longitude."""
        return (WIDTH / 2 + (degrees - self.east) * self.squeeze * self.scale).round(1)

    def down(self, degrees: "pd.Series[float]") -> "pd.Series[float]":
        """From the upper rim, of degrees of latitude."""
        return (HEIGHT / 2 - (degrees - self.north) * self.scale).round(1)


def drawing(rows: pd.DataFrame) -> dict[str, Any]:
    """Dots and grid of a map.

    Parameters
    ----------
    rows
        factory_id, latitude, longitude, operators, status.

    Returns
    -------
    dict
        dots: factory_id, x, y, r, status; meridians and parallels: at (their place in the drawing), degrees.
    """
    shown = rows.nlargest(DOTS, "operators")
    sheet = _sheet(shown["longitude"], shown["latitude"])
    meridians = _grid(sheet.across, WIDTH, sheet.scale * sheet.squeeze)
    parallels = _grid(sheet.down, HEIGHT, sheet.scale)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "dots": _dots(shown, sheet),
        "meridians": meridians,
        "parallels": parallels,
    }


def _sheet(longitude: "pd.Series[float]", latitude: "pd.Series[float]") -> Sheet:
    """The sheet that holds all of them with a margin."""
    squeeze = math.cos(math.radians(latitude.mean()))
    wide, high = ((degrees.max() - degrees.min()) or 1.0 for degrees in (longitude, latitude))
    scale = min(FILLED * WIDTH / (wide * squeeze), FILLED * HEIGHT / high)
    return Sheet(squeeze, scale, *((degrees.max() + degrees.min()) / 2 for degrees in (longitude, latitude)))


def _dots(shown: pd.DataFrame, sheet: Sheet) -> list[dict[str, Any]]:
    radius = 3 + 6 * (shown["operators"] / shown["operators"].max()) ** 0.5
    placed = shown.assign(x=sheet.across(shown["longitude"]), y=sheet.down(shown["latitude"]), r=radius.round(1))
    return records(placed[["factory_id", "country", "x", "y", "r", "status"]])


def _grid(place: Callable[["pd.Series[float]"], "pd.Series[float]"], size: float, per_degree: float) -> Any:
    """Lines of the grid within the drawing, at most some eight."""
    step = next((step for step in STEPS_DEGREES if size / (step * per_degree) <= 8), STEPS_DEGREES[-1])
    degrees = pd.Series(np.arange(-180, 180 + step, step))
    lines = pd.DataFrame({"at": place(degrees), "degrees": degrees})
    return records(lines[lines["at"].between(0, size)])
