"""A policy: the way of working that a replay follows. A YAML file; each figure that differs from the platform's default
stands there with its source.

    name: make_to_stock
    title: Make to stock, 28 days
    forecast: mean_28           # or model, seasonal_naive, mean_7, median_14
    frozen: true                # the forecast of the first day holds all season
    plan: rule                  # or joint: the platform's own plan
    split: false                # may several factories share a lot?
    stages: true                # may a lot be knit here and sewn there?
    learns: false               # do factory scores follow what the factories do?
    spikes: false               # are spikes of incoming orders looked for? They need the model
    price_answer: null          # prices are proposed and released; demand follows (price / list price) ** this
    figures:
      replenishment.minimum_order_pieces: {value: 1000, source: what was assumed, or who says so}
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from c2m import PROJECT
from c2m.errors import InputError
from c2m.settings import Settings

FOLDER = PROJECT / "worlds" / "proof" / "policies"
OURS = "platform"
_OPEN = (
    "replenishment",
    "plan",
    "release",
    "forecast",
    "simulation",
    "goods",
    "prices",
)  # settings that a policy may give


class Figure(BaseModel):
    """A setting's value, and who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Any
    source: str = Field(min_length=8)


class Policy(BaseModel):
    """A way of working; the top of this module tells each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_]{1,40}$")  # of the policy's folder of replays, and in questions and claims
    title: str  # what people call it
    forecast: Literal["model", "seasonal_naive", "mean_7", "median_14", "mean_28"] = "model"
    frozen: bool = False
    plan: Literal["joint", "rule"] = "joint"
    split: bool = True
    stages: bool = True
    learns: bool = True
    spikes: bool = False
    # power of price / list price by which demand follows a proposed price; None: no prices are proposed
    price_answer: float | None = Field(None, gt=-10, lt=0)
    figures: dict[str, Figure] = {}  # by name of the setting

    def settings(self) -> dict[str, Any]:
        """The figures as the settings of a home, group by group."""
        groups: dict[str, Any] = {}
        for name, figure in self.figures.items():
            *path, last = name.split(".")
            group = groups
            for part in path:
                group = group.setdefault(part, {})
            group[last] = figure.value
        return groups

    def faults(self) -> list[str]:
        """Figures that no setting takes, in words."""
        if self.price_answer is not None and "prices.automatic" not in self.figures:
            return [f"{self.name}: price_answer needs the figure prices.automatic: nobody releases prices in a replay"]
        strange = [name for name in self.figures if name.split(".")[0] not in _OPEN]
        if strange:
            return [
                f"{self.name}: {name} is no figure of a policy; those of {', '.join(_OPEN)} are" for name in strange
            ]
        try:
            for group, values in self.settings().items():
                kind: Any = Settings.model_fields[group].annotation
                kind.model_validate(values)
        except ValidationError as error:
            return [f"{self.name}: {group}.{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors()]
        return []


def load(files: Iterable[Path]) -> list[Policy]:
    """The policies of files, or of names in worlds/proof/policies; every fault of every file at once.

    Raises
    ------
    InputError
        A file cannot be read or breaks its form, or two policies have one name; all faults at once.
    """
    found, faults = [], []
    for file in files:
        named = file if file.suffix else FOLDER / f"{file}.yaml"
        try:
            policy = Policy.model_validate(yaml.safe_load(named.read_text(encoding="utf-8")))
            faults += policy.faults()
            found.append(policy)
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml")))
            faults.append(f"{named}: cannot be read ({error}); policies that come with the platform: {known}")
        except ValidationError as error:
            faults += [f"{named}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    names = [policy.name for policy in found]
    faults += [f"two policies are named {name}" for name in sorted({one for one in names if names.count(one) > 1})]
    if faults:
        raise InputError("policies", faults)
    return found
