"""The documentation builds as a site: every page has its place, every link leads somewhere, nothing asks elsewhere."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from plan_kit import day_of_work

from optimization import solve
from optimization.contract.instances import write
from scripts import joint_factory

ROOT = Path(__file__).parents[2]


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    told = re.search(
        r"^## (\d+\.\d+\.\d+) \(\d{4}-\d\d-\d\d\)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    assert told
    assert told[1] == project == cited


def test_the_site_builds_without_a_warning_and_asks_no_foreign_host(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 15
    loaded = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?://[^\"> ]+)")
    assert {found for page in pages for found in loaded.findall(page.read_text(encoding="utf-8"))} == set()


def test_the_picture_of_the_joint_factory_is_drawn_from_a_plan(tmp_path: Path) -> None:
    problem = day_of_work()
    write(problem, tmp_path / "instance")
    solve(problem, node_limit=1).write(tmp_path / "plan")
    joint_factory.main(tmp_path, tmp_path / "picture.svg")
    assert "</svg>" in (tmp_path / "picture.svg").read_text(encoding="utf-8")
