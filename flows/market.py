"""What the market does: volume and price of categories, forecast once a week, landed and shown on a page."""

from datetime import date

import pandas as pd
from matplotlib.figure import Figure
from prefect import task

from c2m import clock
from c2m.domain import markets
from c2m.feeds.landing import land_frame, read_landed
from c2m.markdown import table
from c2m.settings import settings
from c2m.steps import step
from c2m.warehouse.published import read
from flows import reports
from models.governance.markets import NAME, fit
from models.market.market_model import forecast
from models.market.series import panels

_DRAWN, _MOST = 16, 80


def foresee(day: date) -> None:
    """Forecasts the market on the first day of which a further whole week is known; on others nothing is done."""
    weekly = read("market_weekly")
    if weekly.empty or is_told(day, weekly):
        return
    with step("market"):
        found = told_on(day, weekly)
    if len(found):
        publish(day, found, weekly)


def is_told(day: date, weekly: pd.DataFrame) -> bool:
    """Whether a forecast has landed since the last week that is known was over; a later one than `day` counts not."""
    landed = pd.to_datetime(read_landed("market_forecasts")["business_date"])
    over = pd.to_datetime(weekly["week"]).max() + pd.Timedelta(7, "D")
    return bool(landed.between(over, pd.Timestamp(day)).any())


@task
def told_on(day: date, weekly: pd.DataFrame) -> pd.DataFrame:
    """The forecast of a day, which lands; no row where history is too short."""
    policy = settings().market
    known = panels(weekly, policy.least_weeks)
    held = fit(known, day, policy)
    if held is None:
        return pd.DataFrame()
    version, model = held
    found = forecast(model, known, policy.horizon_weeks, settings().forecast)
    if len(found):
        moment = clock.now().replace(tzinfo=None)
        found = found.assign(business_date=day, model_version=version, known_at=moment)
        land_frame("market_forecasts", found)
    return found


def publish(day: date, found: pd.DataFrame, weekly: pd.DataFrame) -> None:
    """The page: what is surest on top, with the range and how sure it is."""
    told = markets.in_words(found)
    version = found["model_version"].iloc[0]
    link = f"{settings().page_url('mlflow')}/#/models/{NAME}/versions/{version}"
    reports.page(
        "market",
        f"What the market does, {day}",
        f"Volume and mean price of categories over the {settings().market.horizon_weeks} weeks after the last whole "
        "week known of each, against as many weeks before: what merchants here sell (own), and what others tell. In "
        "brackets the 80 % range. Sure: the chance that it moves that way; 95 % is 95 % or more. By "
        f"[{NAME} version {version}]({link}), chosen on held-out weeks.",
        "",
        reports.picture(lambda figure: _draw(figure, found), height_in=5),
        "## By category, the surest first",
        table(told, _MOST),
    )


def _draw(figure: Figure, found: pd.DataFrame) -> None:
    """Change of each, the surest of both measures."""
    for axes, measure in zip(figure.subplots(1, 2), ("volume", "price"), strict=True):
        rows = markets.changes(found[found["measure"] == measure]).head(_DRAWN)[::-1]
        reach = [rows["change"] - rows["least"], rows["most"] - rows["change"]]
        axes.errorbar(100 * rows["change"], rows["what"], xerr=[100 * part for part in reach], fmt="o", capsize=3)
        axes.axvline(0, color="grey")
        axes.tick_params(axis="y", labelsize=7)
        axes.set(title=measure, xlabel="change in %, 80 % range")
