"""Puts what `make run` printed, without its steps, into docs/first-run.md, and the main parts of it into the README.

Usage: make run 2>&1 | tee run.txt; .venv/bin/python scripts/first_run.py run.txt
"""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, README = ROOT / "docs" / "first-run.md", ROOT / "README.md"
MAIN_PARTS = ("Plan", "Lots that several factories share", "Where to look:")  # heads of the parts that the README shows
_BLOCK = re.compile(r"(?<=^```\n)(?:Rows up to |Plan\n).*?(?=^```\n)", re.DOTALL | re.MULTILINE)


def shown(printed: str, home: str) -> str:
    """The part of the output that the page shows, as if C2M_HOME were `var`."""
    start = printed.index("Rows up to ")
    lines = printed[start:].replace(home, "var").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main_parts(text: str) -> str:
    """What the README shows of it."""
    parts = re.split(r"^(?=\w)", text, flags=re.MULTILINE)
    return "...\n".join(part for part in parts if part.partition("\n")[0] in MAIN_PARTS)


def block(page: Path) -> str:
    """What a page shows now."""
    found = _BLOCK.search(page.read_text(encoding="utf-8"))
    return found[0] if found else ""


def main(file: Path) -> None:
    """Replaces both blocks."""
    text = shown(file.read_text(encoding="utf-8"), os.environ.get("C2M_HOME", "var"))
    for page, part in ((PAGE, text), (README, main_parts(text))):
        page.write_text(page.read_text(encoding="utf-8").replace(block(page), part, 1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
