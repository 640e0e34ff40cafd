"""Takes the README's screenshots from a running `make up` after `make run`, in headless Chromium, with its key.

Usage: .venv/bin/python scripts/screenshots.py [docs/images]
"""

import base64
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from c2m.doors import USER, key
from c2m.orchestrator import orchestrator
from c2m.settings import settings

PREFECT = f"http://127.0.0.1:{settings().prefect_port}"
MLFLOW = f"http://127.0.0.1:{settings().mlflow_port}"
PASSWORD = base64.b64encode(f"{USER}:{key()}".encode()).decode()  # as Prefect's page keeps it once it was typed
# Without these Chromium calls home at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def first(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The first row that Prefect's API answers with."""
    return dict(orchestrator(PREFECT).ask(path, body)[0])


def shoot(page: Page, url: str, file: Path, wait_ms: int = 6000, height: int = 1000) -> None:
    """One page, once it has stopped moving."""
    page.set_viewport_size({"width": 1440, "height": height})
    page.goto(url, wait_until="load")
    page.wait_for_timeout(wait_ms)
    for panel in page.get_by_role("button", name="Close").all():  # an assistant that unfolds at the first visit
        panel.click()
        page.wait_for_timeout(1000)
    page.screenshot(path=file)
    print(file)


def main(folder: Path) -> None:
    """All of them."""
    folder.mkdir(parents=True, exist_ok=True)
    daily = first("/flow_runs/filter", {"flows": {"name": {"any_": ["daily"]}}, "sort": "START_TIME_ASC", "limit": 1})
    plan = first("/artifacts/filter", {"artifacts": {"key": {"any_": ["plan"]}}, "sort": "CREATED_DESC", "limit": 1})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(http_credentials={"username": USER, "password": key()})  # for MLflow
        page.add_init_script(f"localStorage.setItem('prefect-password', '{PASSWORD}')")
        shoot(page, f"{PREFECT}/runs/flow-run/{daily['id']}", folder / "prefect-run.png")
        shoot(page, f"{PREFECT}/artifacts/artifact/{plan['id']}", folder / "prefect-plan.png", height=1500)
        shoot(
            page, f"{MLFLOW}/#/experiments/1/runs?compareRunsMode=CHART", folder / "mlflow-compare.png", wait_ms=12000
        )
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
