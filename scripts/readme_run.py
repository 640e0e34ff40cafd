"""Puts what `make run` printed into the README: its tables and what follows, without the seconds of its steps.

Usage: make run 2>&1 | tee run.txt; .venv/bin/python scripts/readme_run.py run.txt
"""

import os
import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"```\nRows up to .*?\n```\n", re.DOTALL)


def shown(printed: str, home: str) -> str:
    """The part of the output that the README shows, as if C2M_HOME were `var`."""
    start = printed.index("Rows up to ")
    lines = printed[start:].replace(home, "var").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def in_readme() -> str:
    """What the README shows now."""
    found = _BLOCK.search(README.read_text(encoding="utf-8"))
    return found[0].removeprefix("```\n").removesuffix("```\n") if found else ""


def main(file: Path) -> None:
    """Replaces the block."""
    text = shown(file.read_text(encoding="utf-8"), os.environ.get("C2M_HOME", "var"))
    readme = README.read_text(encoding="utf-8")
    README.write_text(_BLOCK.sub(lambda _: f"```\n{text}```\n", readme, count=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
