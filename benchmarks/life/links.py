"""Does every link of `c2m why` hold, on every job order, lot and order of a home, and how long does the command take?

    C2M_HOME=var-amazon python -m benchmarks.life.links

README says how the week of the Amazon data comes into a home. Links that do not hold are printed, with what was
compared; the exit code is then 1.
"""

import resource
import subprocess
import sys
import time
from itertools import chain

from rich.console import Console
from rich.progress import track
from sqlalchemy import select

from c2m.ledger import store
from c2m.ledger.tables import JobOrder, Lot, Order
from c2m.why.chain import why

COMMANDS = 5  # of `c2m why` as a process, spread over the job orders


def main() -> int:
    """How many links do not hold."""
    with store.reading() as session:
        ids = (JobOrder.job_order_id, Lot.lot_id, Order.order_id)
        names = [[*session.scalars(select(of).order_by(of))] for of in ids]
        asked = track([*chain(*names)], "c2m why", console=Console(stderr=True), transient=True)
        links = [link for name in asked for link in why(session, name).links]
    broken = [link.as_dict() for link in links if not link.holds]
    jobs, lots, orders = map(len, names)
    print(f"{jobs} job orders, {lots} lots and {orders} orders: {len(links)} links, {len(broken)} do not hold")
    print(*broken, sep="\n", end="\n" if broken else "")
    taken = [_one_command(name) for name in names[0][:: max(1, jobs // COMMANDS)]]
    wall_s, processor_s = (max(seconds) for seconds in zip(*taken, strict=True))
    print(f"the slowest of {len(taken)} commands: {wall_s:.1f} s, {processor_s:.1f} s of processor time")
    return len(broken)


def _one_command(name: str) -> tuple[float, float]:
    """Seconds by the clock, and of processor time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-m", "c2m.cli", "why", name], check=True, capture_output=True)
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main() > 0)
