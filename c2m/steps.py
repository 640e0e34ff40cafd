"""The named steps of a business day: how long each took, and a boundary behind each at which a crash can be rehearsed.

Every step is idempotent. `C2M_CRASH_AFTER=<step>` ends the process right behind that step, as a power cut would; the
tests run the day again and compare the ledgers.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

from c2m import clock
from c2m.settings import settings

CRASH_EXIT_CODE = 70
log = logging.getLogger("c2m.steps")
log.setLevel(logging.INFO)  # also in a run of Prefect, whose Logs tab has them then


@contextmanager
def step(name: str) -> Iterator[None]:
    """Appends {day, step, seconds, peak_mib} to C2M_HOME/steps.jsonl once the body is through; tells the log.

    `peak_mib` is the most memory that the process has had so far, those that it started left out.
    """
    started = perf_counter()
    yield
    seconds = round(perf_counter() - started, 2)
    day = clock.business_date(clock.now())
    log.info("%s  %-14s %6.2f s", day, name, seconds)
    with (settings().home / "steps.jsonl").open("a", encoding="utf-8") as file:
        peak_mib = getrusage(RUSAGE_SELF).ru_maxrss // 1024
        row = {"day": day.isoformat(), "step": name, "seconds": seconds, "peak_mib": peak_mib}
        file.write(json.dumps(row) + "\n")
    if os.environ.get("C2M_CRASH_AFTER") == name:
        os._exit(CRASH_EXIT_CODE)
