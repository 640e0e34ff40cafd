"""Typed parameters of the flows: Prefect draws a form from each and refuses bad values before a run starts."""

from datetime import date
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from c2m import clock
from c2m.ledger import plans
from c2m.ledger.store import session
from c2m.settings import PlanPolicy, settings

Part = TypeVar("Part", bound=BaseModel)


class Now(BaseModel):
    """What every flow takes: nothing that it does not know."""

    model_config = ConfigDict(extra="forbid")

    @property
    def moment(self) -> str:
        """The time of the platform in its zone; names a run that looks at the present."""
        return f"{clock.now().astimezone(ZoneInfo(settings().timezone)):%Y-%m-%d %H:%M}"


class Day(Now):
    """What every flow of a business day takes."""

    business_date: date | None = Field(None, description="Default: today by the platform's clock")

    @property
    def day(self) -> date:
        """The business date that this run is for."""
        return self.business_date or clock.business_date(clock.now())

    def part(self, kind: type[Part]) -> Part:
        """The fields of these parameters that a smaller flow takes, the date fixed."""
        dated = self.model_copy(update={"business_date": self.day})
        return kind.model_validate(dated.model_dump(include=set(kind.model_fields)))


class Ingest(Day):
    """Which feed files to take in."""

    world: Path | None = Field(None, description="Folder of feed files; default: the setting `world`")

    @property
    def folder(self) -> Path:
        """Where the feed files lie."""
        return self.world or settings().world_folder


class Train(Day):
    """When to train."""

    force_training: bool = Field(False, description="Train although the champion is young enough")


class Promote(Day):
    """Whom to judge."""

    challenger: str | None = Field(None, description="Version to make the challenger first; default: the alias")
    again: bool = Field(False, description="Judge although this champion has been its measure before")


class PlanLimits(Day):
    """How to plan; empty fields take the platform's settings."""

    time_limit_s: float | None = Field(None, gt=0, le=3600, description="Seconds that the solver may take")
    gap: float | None = Field(None, ge=0, le=1, description="Relative gap at which the solver may stop")
    max_factories: int | None = Field(
        None, ge=1, le=50, description="Factories that may share one lot whose order sets no such limit"
    )
    replace: bool = Field(
        False, description="Reject the plan that waits for a person, and plan anew with these limits and today's facts"
    )

    @property
    def asked(self) -> dict[str, float]:
        """The limits that this run asks for."""
        return self.model_dump(include={"time_limit_s", "gap", "max_factories"}, exclude_none=True)

    @property
    def policy(self) -> PlanPolicy:
        """The platform's plan policy with this run's changes."""
        return settings().plan.model_copy(update=self.asked)


class Plan(PlanLimits):
    """Which plan of the day to make, and how."""

    round: int | None = Field(
        1, ge=1, le=9, description="Plan of the day: 2 and later take in what has changed since; empty: the next one"
    )

    @property
    def title(self) -> str:
        """Names the run."""
        return f"{self.day} " + (f"round {self.round}" if self.round else "next round")


class Release(Now):
    """Which plan a person decides on."""

    plan_id: str | None = Field(None, description="Default: the plan that waits")

    @property
    def title(self) -> str:
        """Names the run: day and round of the plan."""
        with session() as s:
            found = plans.standing(s, self.plan_id) if self.plan_id else plans.waiting(s)
        return found.title if found else self.moment


class Dispatch(Now):
    """How long to wait for the factories, whatever the day of their job orders."""

    patience_s: float = Field(120, gt=0, le=3600, description="Wall seconds to wait until every factory has answered")


class Track(Day):
    """What to bring up to date."""

    rebuild: bool = Field(True, description="Build the progress marts first; not needed right after a transform")


class Robot(Day):
    """What the robot looks at."""

    rebuild: bool = Field(True, description="Build the floor's marts first, from what was scanned up to now")


class Prune(Now):
    """Whether anything goes."""

    dry_run: bool = Field(False, description="Only say what would go")


class Daily(Ingest, Train, PlanLimits, Dispatch):
    """A whole business day."""
