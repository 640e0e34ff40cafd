"""Which Sparkplug names mean which factory, line, job order and counter: a YAML file per Sparkplug group.

group: F17                      # Sparkplug group_id
edge_nodes:
  - edge_node: Gateway 1
    factory_id: F17
    lines:
      - device: Line 1          # without: metrics of the edge node itself
        line_id: L1
        job_order: Order/Id     # metric with the job_order_id that the line works at
        sku: Order/Sku          # metric with the sku_id
        counters:               # metrics that count up, and begin again at 0
          - {operation: sew, good: Sewn/Good, defects: Sewn/Rejected}
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from c2m.errors import InputError
from c2m.wire.messages import Id, Operation

# A level of a topic: MQTT's wildcards and separators cannot be part of it.
Level = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^+#/\x00-\x1f\x7f]+$")]
Metric = Annotated[str, Field(min_length=1, max_length=500)]


class _Mapped(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Count(_Mapped):
    """Counters of one operation."""

    operation: Operation
    good: Metric | None = None
    defects: Metric | None = None

    @model_validator(mode="after")
    def _counts(self) -> "Count":
        if self.good is None and self.defects is None:
            raise ValueError("neither good nor defects names a metric")
        return self


class LineMetrics(_Mapped):
    """A line, and the metrics that tell of it."""

    device: Level | None = None
    line_id: Id
    job_order: Metric
    sku: Metric
    counters: tuple[Count, ...] = Field(min_length=1)

    @cached_property
    def counted(self) -> dict[str, tuple[Operation, bool]]:
        """Per counter its operation, and whether what it counts is good."""
        named = ((count, good) for count in self.counters for good in (True, False))
        names = ((count.good if good else count.defects, count.operation, good) for count, good in named)
        return {name: (operation, good) for name, operation, good in names if name is not None}

    @cached_property
    def metrics(self) -> list[str]:
        """Every metric that the line needs, counters as often as they are named."""
        counters = [name for count in self.counters for name in (count.good, count.defects) if name is not None]
        return [self.job_order, self.sku, *counters]


class EdgeNode(_Mapped):
    """A gateway of a factory."""

    edge_node: Level
    factory_id: Id
    lines: tuple[LineMetrics, ...] = Field(min_length=1)


class Site(_Mapped):
    """A mapping."""

    group: Level
    description: str = ""
    edge_nodes: tuple[EdgeNode, ...] = Field(min_length=1)


def load(path: Path) -> Site:
    """Reads and checks a mapping.

    Raises
    ------
    InputError
        All its faults at once.
    """
    try:
        site = Site.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("sparkplug-mapping", [f"{path}: {error}"]) from None
    except yaml.YAMLError as error:
        raise InputError("sparkplug-mapping", [f"{path.name}: not YAML: {error}"]) from error
    except ValidationError as error:
        faults = [f"{path.name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise InputError("sparkplug-mapping", faults) from error
    if faults := [f"{path.name}: {fault}" for fault in _faults(site)]:
        raise InputError("sparkplug-mapping", faults)
    return site


def _faults(site: Site) -> Iterator[str]:
    for name, times in Counter(node.edge_node for node in site.edge_nodes).items():
        if times > 1:
            yield f"edge node {name!r} stands there {times} times, expected once with all its lines"
    for node in site.edge_nodes:
        counters = Counter((line.device, name) for line in node.lines for name in line.metrics[2:])
        named = {(line.device, name) for line in node.lines for name in line.metrics[:2]}
        for (device, name), times in counters.items():
            where = f"edge node {node.edge_node!r}, device {device!r}: metric {name!r}"
            if times > 1:
                yield f"{where} is counted {times} times; its pieces would be made as often"
            if (device, name) in named:
                yield f"{where} is a counter and names a job order or SKU"
        for line_id, times in Counter(line.line_id for line in node.lines).items():
            if times > 1:
                yield f"edge node {node.edge_node!r}: line {line_id} stands there {times} times"
