"""The smallest form of each benchmark: words after `python -m benchmarks.NAME` with which it ends within seconds.

Benchmarks that are not here are called by a test of their own (tests/unit/test_docs_commands.py compares), or not at
all.
"""

QUICK = {
    "allocation.staged": "5 6 --seconds 2",
    "finish.sewing_lines": "",
    "materials.choice": "--materials 5 --suppliers 3 --weeks 4",
    "scores.calibrate": "",
    "voice.batches": "--worlds 2",
}
# These start processes, train or plan several times.
LONG = {
    "allocation.cluster": "own_30x8_s1 --seconds 4",
    "allocation.single_source": "gap_a05100 --seconds 2",
    "feeds.intake": "--rows 1000 --files 4",
    "floor.dispatch": "--job-orders 30 --factories 4 --steady 2",
    "floor.scans": "2",
    "forecast.backtest": "speed --series 4 --months 40",
    "forecast.scale": "--one 50",
    "marts.scans": "1",
    "promises.dates": "--worlds 1 --days 1 --processes 1 --out dates",
    "promises.quotes": "speed --orders 20 --factories 5 --quotes 2",
    "promises.stages": "--worlds socks --days 1 --seeds 1",
    "scores.crafts": "--worlds 1 --days 3",
    "scores.share": "--worlds 1 --days 3 --picture share.svg",
    "voice.aspects": "",
}
# They read the public data, and are skipped where these are absent.
PUBLIC = {"allocation.single_source", "finish.sewing_lines", "scores.calibrate", "scores.share", "voice.aspects"}
MOSQUITTO = {"floor.dispatch", "floor.scans"}
_RIVALS = "its rivals come with `make bench` alone"
_ROOMS = "it asks a home in which a day was run; tests/integration/test_merchant_strangers.py asks alike"
_DAY = "each of its steps is a `c2m run`, which the tests of days run"
NOT_RUN = {
    "faults.kills": _DAY,
    "floor.factories": "a process of floor.dispatch",
    "forecast.amazon": _RIVALS,
    "forecast.kinds": _RIVALS,
    "forecast.market": _RIVALS,
    "forecast.pages": _RIVALS,
    "life.year": _DAY,
    "promises.of_run": _DAY,
    "tenants.light": _ROOMS,
    "tenants.strangers": _ROOMS,
    "tenants.streams": _ROOMS,
    "proof.intervals": "a hundred replays, each as in tests/integration/test_replay.py",
}
