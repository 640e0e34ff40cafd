"""`c2m up`: everything that a team uses on one machine, in the foreground, until Ctrl-C."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from threading import Event, Thread

import httpx
from rich.console import Console
from rich.table import Table

from c2m import clock
from c2m.errors import InputError
from c2m.floor.child import LOOPBACK, Child, listens
from c2m.floor.processes import FloorProcesses, floor
from c2m.home import HEADER, occupied
from c2m.rooms.links import site
from c2m.settings import settings
from c2m.upkeep import keeper
from c2m.upkeep.upgrade import upgrade
from flows import services, timelapse
from flows.checkup import keep_watch

_LOOK_S = 0.5  # between two looks at the children


def up(simulate: bool) -> None:
    """Starts the servers in the order in which they need one another, and stops them in the reverse one.

    A home without a world gets the demo world. One that lives on a virtual clock goes on from where it stood, at the
    speed of real time. While it is up, it looks at itself as `c2m doctor` does, and starts again what has
    ended.

    Raises
    ------
    InputError
        A port that it needs is taken.
    """
    stop = Event()
    _stop_on_signals(stop)
    with occupied("c2m up"):
        keeper.forget()
        refuse_taken_ports()
        _serve(simulate, Console(), stop)


def _stop_on_signals(stop: Event) -> None:
    """Another thread sets the event: the one that the signal stops may hold its lock."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: Thread(target=stop.set).start())


def refuse_taken_ports() -> None:
    """A server of ours must not be taken for one that has its port: two homes would then share one queue of runs."""
    ports = {
        "prefect_port": "Prefect server",
        "mlflow_port": "MLflow server",
        "docs_port": "documents",
        "rooms_port": "order room",
        "mqtt_port": "broker",
        "http_port": "factory endpoint",
        "relay_port": "health of the relay",
    }
    numbers = {name: getattr(settings(), name) for name in ports}
    faults = [
        f"port {number} ({ports[name]}) is taken by {_who(number)}; stop that, or set C2M_{name.upper()} to a free port"
        for name, number in numbers.items()
        if listens(number)
    ]
    if faults:
        raise InputError("port-taken", faults)


def _who(port: int) -> str:
    try:
        home = httpx.get(f"http://{LOOPBACK}:{port}/", timeout=2, trust_env=False).headers.get(HEADER)
    except httpx.HTTPError:
        home = None
    return f"a server of another home ({home})" if home else "another program"


def _serve(simulate: bool, console: Console, stop: Event) -> None:
    if simulate and not clock.is_virtual():
        with starting("first files", console):
            world = timelapse.adopt(timelapse.demo_world())
            timelapse.prepare(world, settings().business_date or clock.business_date(clock.now()))
    upgrade()
    if clock.is_virtual():
        clock.set_now(clock.now(), speed=1)
    os.environ |= services.environment(f"http://{LOOPBACK}:{settings().prefect_port}")
    with ExitStack() as running:
        started: list[Child | FloorProcesses] = []
        for name, service in parts(simulate):
            if stop.is_set():
                return
            with starting(name, console):
                started.append(running.enter_context(service))
        console.print(addresses(), "Ctrl-C stops everything.")
        keep(started, stop, partial(console.print, markup=False, highlight=False))
        console.print("stopping ...")


@contextmanager
def starting(name: str, console: Console) -> Iterator[None]:
    """Says what is being done: on a terminal while it takes, in a file or a pipe a line of its own, once done."""
    with console.status(f"starting {name}"):
        yield
    if not console.is_terminal:
        console.print(f"started: {name}")


def keep(started: list[Child | FloorProcesses], stop: Event, say: Callable[[str], None]) -> None:
    """Until `stop`: starts again what has ended, in this thread, which lives as long as they do; another watches."""
    floors = [one for one in started if isinstance(one, FloorProcesses)]
    alone = [one for one in started if isinstance(one, Child)]

    def renewed() -> None:
        for one in floors:
            one.note()

    watch = Thread(target=keep_watch, args=(stop, say), name="watch")
    watch.start()
    kept = keeper.Keeper([*alone, *(process for one in floors for process in one.children.values())], say, renewed)
    while not stop.wait(_LOOK_S):
        kept.look()
    watch.join()


def parts(simulate: bool) -> Iterator[tuple[str, AbstractContextManager[Child | FloorProcesses]]]:
    """Each part with the name that a person sees while it starts."""
    yield "Prefect server", services.own_prefect_server(settings().prefect_port)
    yield "MLflow server", services.mlflow_server(settings().mlflow_port)
    yield "documents", services.documents(settings().docs_port)
    yield "order room", services.rooms(settings().rooms_port)
    factories = timelapse.simulated_factories() if simulate else None
    ports = {name: getattr(settings(), name) for name in ("mqtt_port", "http_port", "relay_port")}
    running = floor(factories, settings().simulation_seed, **ports)
    yield "broker, relay, collector, factories", running
    yield "deployments and worker", services.worker()


def addresses() -> Table:
    """Where everything is."""
    table = Table(title="C2M is up", title_justify="left")
    table.add_column("part")
    table.add_column("address")
    table.add_row("Prefect: flows, schedules, plans to release", settings().page_url("prefect"))
    table.add_row("MLflow: runs, models, champion", settings().page_url("mlflow"))
    table.add_row("Data Docs and dbt docs", settings().page_url("documents"))
    table.add_row("order room; c2m rooms link makes a link", site())
    table.add_row("factory endpoint, HTTP", f"http://{LOOPBACK}:{settings().http_port}")
    table.add_row("factory endpoint, MQTT", f"mqtt://{LOOPBACK}:{settings().mqtt_port}")
    table.add_row("health, for each HTTP port; figures", f"/health; http://{LOOPBACK}:{settings().docs_port}/metrics")
    table.add_row("key of the pages, user c2m", "c2m env prints it")
    table.add_row("all state", str(settings().home.absolute()))
    return table
