"""Promised dates held against what came."""

import json

from c2m.cli import show
from c2m.cli.root import Json, command


@command("promises")
def kept_promises(as_json: Json = False) -> None:
    """How many promised dates were kept, beside what was stated: in all, by kind, distance, size, month, factory."""
    from c2m import clock
    from c2m.promises import summary
    from c2m.published import read

    found = summary(read("promises"), clock.business_date(clock.now()))
    if as_json:
        print(json.dumps(found, default=str))
        return
    by = found.pop("by")
    show.figures("Promises", found, as_json)
    for name, cells in by.items():
        show.table(f"By {name}", [{name: key, **cell} for key, cell in cells.items()])
