"""Whether the platform is well."""

import json
from dataclasses import asdict

from c2m.cli import show
from c2m.cli.root import Json, command

_WORDS = {True: "well", False: "NOT WELL", None: "not judged"}


@command()
def doctor(as_json: Json = False) -> None:
    """Look at all that must be true of a running platform; exit code 2 says in words what is not, and what to do."""
    from c2m.doctor import examine
    from c2m.errors import C2MError

    found = examine()
    rows = [{"check": one.check, "is": _WORDS[one.ok], "seen": one.seen} for one in found]
    print(json.dumps([asdict(one) for one in found])) if as_json else show.table("C2M doctor", rows)
    if faults := [str(one) for one in found if one.ok is False]:
        raise C2MError("not-well", faults)
