"""No line of product, tests or docs is longer than a person reads at a glance."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 120  # characters
READ = {".cff", ".css", ".html", ".js", ".md", ".py", ".sh", ".sql", ".toml", ".yaml", ".yml"}
FOLDERS = [
    *("benchmarks", "c2m", "dbt_project", "deploy", "docs", "examples", "expectations", "flows", "mappings", "models"),
    *("optimization", "scripts", "tests", "worlds"),
]


def files(folder: str) -> list[Path]:
    """Written by people, or generated for them; what benchmarks recorded, and an old ledger, is data."""
    found = (path for path in (ROOT / folder).rglob("*") if path.suffix in READ)
    return sorted(path for path in found if not {"results", "home_0.1"} & set(path.parts))


@pytest.mark.parametrize("folder", [*FOLDERS, "."])
def test_lines_are_short(folder: str) -> None:
    here = [path for path in ROOT.iterdir() if path.suffix in READ or path.name == "Makefile"]
    long = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)} characters"
        for path in (here if folder == "." else files(folder))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LONGEST
    ]
    assert long == []
