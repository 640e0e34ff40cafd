"""The network for operations: every factory with how far it has come in, what it has shown, and where it is."""

import math
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.rooms import page
from c2m.rooms.entry import Operations
from c2m.rooms.scoped import view
from c2m.warehouse import published

routes = APIRouter(prefix="/network")
WIDTH, HEIGHT = 960.0, 420.0  # of the map's drawing
DOTS = 2_000  # that a map shows, those with most operators
STEPS_DEGREES = (0.5, 1, 2, 5, 10, 20, 30)  # of the grid


@routes.get("")
def network(request: Request, person: Operations) -> Response:
    """Factories, those that are not yet at work first; the map of all of them."""
    rows = view(person.grant).mart("factories") if published.is_published() else pd.DataFrame()
    if rows.empty:
        return page.shown(request, "network.html", rows=[], drawn=None)
    rows = rows.assign(state=rows["onboarding"].fillna("active"), at_work=rows["status"] == "active")
    ranked = rows.sort_values(["at_work", "country", "factory_id"], kind="stable")
    return page.shown(request, "network.html", rows=page.records(ranked), drawn=drawing(rows))


def drawing(rows: pd.DataFrame) -> dict[str, Any]:
    """Dots and grid of a map on which degrees of latitude and longitude are about equally far.

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
    squeeze = math.cos(math.radians(float(shown["latitude"].mean())))
    east, north = shown["longitude"] * squeeze, shown["latitude"]
    scale = min(
        0.88 * WIDTH / max(float(east.max() - east.min()), 1), 0.88 * HEIGHT / max(float(north.max() - north.min()), 1)
    )
    middle = ((east.max() + east.min()) / 2, (north.max() + north.min()) / 2)

    def across(degrees: Any) -> Any:
        return (WIDTH / 2 + (degrees * squeeze - middle[0]) * scale).round(1)

    def down(degrees: Any) -> Any:
        return (HEIGHT / 2 - (degrees - middle[1]) * scale).round(1)

    radius = (3 + 6 * (shown["operators"] / shown["operators"].max()) ** 0.5).round(1)
    dots = shown.assign(x=across(shown["longitude"]), y=down(shown["latitude"]), r=radius)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "dots": page.records(dots[["factory_id", "country", "x", "y", "r", "status"]]),
        "meridians": _grid(across, WIDTH, scale * squeeze),
        "parallels": _grid(down, HEIGHT, scale),
    }


def _grid(place: Any, size: float, per_degree: float) -> list[dict[str, float]]:
    """Lines of the grid within the drawing, at most some eight."""
    step = next((step for step in STEPS_DEGREES if size / (step * per_degree) <= 8), STEPS_DEGREES[-1])
    degrees = pd.Series([number * step for number in range(int(-180 / step), int(180 / step) + 1)])
    lines = pd.DataFrame({"at": place(degrees), "degrees": degrees})
    return page.records(lines[lines["at"].between(0, size)])  # type: ignore[return-value]
