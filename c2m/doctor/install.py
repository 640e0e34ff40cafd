"""Whether the packages beside us are those that this version was made for: a half-done update fails in odd places."""

from importlib import metadata

from packaging.requirements import Requirement

from c2m.doctor.finding import Finding, judged


def packages() -> list[Finding]:
    """Each package that we need is there, in a version that we allow."""
    try:
        wanted = [Requirement(line) for line in metadata.requires("c2m") or ()]
    except metadata.PackageNotFoundError:
        return [Finding("packages", None, "c2m runs without being installed")]
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    faults = [fault for one in needed if (fault := _fault(one))]
    move = "install this version anew, with the packages of its lock file (make setup, or pip install c2m)"
    return judged("packages", faults, f"{len(needed)} packages as this version needs them", move)


def _fault(wanted: Requirement) -> str:
    try:
        held = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is missing, needed is {wanted.specifier}"
    if wanted.specifier.contains(held, prereleases=True):
        return ""
    return f"{wanted.name} {held} is installed, needed is {wanted.specifier}"
