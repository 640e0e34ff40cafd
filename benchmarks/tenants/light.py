"""What Lighthouse says of the order room's pages: performance, accessibility, best practices, each of 100.

Usage: C2M_HOME=var python -m benchmarks.tenants.light [--lighthouse 12.8.2]

On a copy of a home in which a day was run, in Chromium with Lighthouse's own model of a phone. Lighthouse comes from
npm (12.x runs on Node.js 18 and later). Prints one line of JSON a page; exit code 1 where a page is below what is asked
(90, 95, 95). Without npx or Chromium it says so, and ends.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import typer

from benchmarks.tenants import homes
from c2m.ledger.states import Role
from c2m.ledger.store import reading
from c2m.ledger.tables import JobOrder, Order

ASKED = {"performance": 0.90, "accessibility": 0.95, "best-practices": 0.95}


def main(lighthouse: str = "12.8.2") -> None:
    """Looks at each page once."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not shutil.which("npx") or not chromium:
        print(json.dumps({"skipped": "npx or chromium is not installed"}))
        return
    below = 0
    with homes.served() as address:
        for role, tenant, paths in _pages():
            cookie = homes.cookie(address, role, tenant)
            for path in paths:
                scores = _scores(f"{address}{path}", cookie, lighthouse, chromium)
                below += any(scores[name] < least for name, least in ASKED.items())
                print(json.dumps({"role": role, "page": path} | scores), flush=True)
    raise SystemExit(1 if below else 0)


def _pages() -> list[tuple[Role, str, list[str]]]:
    with reading() as s:
        job = s.query(JobOrder).order_by(JobOrder.job_order_id).first()
        assert job is not None
        order = s.get_one(Order, job.order_id)
    return [
        ("operator", "", ["/", "/orders", f"/orders/{order.order_id}", "/board", "/plans", "/figures"]),
        (
            "merchant",
            order.merchant_id,
            ["/merchant", f"/merchant/orders/{order.order_id}", "/merchant/new", "/merchant/shelf"],
        ),
        ("factory", job.factory_id, ["/factory", f"/factory/job-orders/{job.job_order_id}", "/factory/terms"]),
    ]


def _scores(url: str, cookie: str, version: str, chromium: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = ["npx", "--yes", f"lighthouse@{version}", url, "--quiet", "--output=json", f"--output-path={told}"]
        command += [f"--only-categories={','.join(ASKED)}", f"--extra-headers={json.dumps({'Cookie': cookie})}"]
        command += [f"--chrome-path={chromium}", "--chrome-flags=--headless=new --no-sandbox"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        found = json.loads(told.read_text(encoding="utf-8"))["categories"]
    return {name: found[name]["score"] or 0.0 for name in ASKED}


if __name__ == "__main__":
    typer.run(main)
