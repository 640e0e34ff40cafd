"""Serves the Data Docs, the dbt docs, the files of each plan and the life of a job order; nothing else of C2M_HOME."""

import html
from datetime import date
from typing import Annotated

from fastapi import FastAPI, HTTPException, Path
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from c2m.ledger import audit, plans
from c2m.ledger.store import session
from c2m.settings import settings

app = FastAPI(title="C2M documents", docs_url=None, redoc_url=None, openapi_url=None)
FOLDERS = {"data_docs": "Data Docs: what Great Expectations found", "dbt_docs": "dbt docs: how each mart is made"}


for name in FOLDERS:
    folder = settings().home / name
    folder.mkdir(parents=True, exist_ok=True)
    app.mount(f"/{name}", StaticFiles(directory=folder, html=True), name)


@app.get("/", response_class=HTMLResponse)
def index() -> str:
    """The two sites."""
    links = "".join(f'<li><a href="/{name}/">{title}</a></li>' for name, title in FOLDERS.items())
    return f"<!doctype html><title>C2M documents</title><h1>C2M documents</h1><ul>{links}</ul>"


@app.get("/runs/{day}/{plan_id}/", response_class=HTMLResponse)
def run(day: date, plan_id: Annotated[str, Path(pattern="^[A-Za-z0-9_-]+$")]) -> str:
    """How a plan stands, and its files: its instance, the plan, the search's log, the verdict, the shadow run."""
    folder = settings().runs / day.isoformat() / plan_id
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    if not files:
        raise HTTPException(404, "no plan of that day and name")
    links = "".join(f'<li><a href="{file}">{file}</a></li>' for file in files)
    with session() as transaction:
        found = plans.in_folder(transaction, str(folder.relative_to(settings().home)))
    stands = html.escape(found.words) if found else "never proposed"
    title = f"Plan {plan_id} of {day}"
    return f"<!doctype html><title>{title}</title><h1>{title}</h1><p>As of now: {stands}.</p><ul>{links}</ul>"


@app.get("/job-orders/{job_order_id}", response_class=HTMLResponse)
def job_order(job_order_id: str) -> str:
    """All that was written, sent and received about a job order."""
    with session() as transaction:
        said = audit.history(transaction, job_order_id)
    if said.empty:
        raise HTTPException(404, "no job order of that name")
    return _document(f"Job order {html.escape(job_order_id)}", said.to_html(index=False))


def _document(title: str, body: str) -> str:
    return f"<!doctype html><title>{title}</title><h1>{title}</h1>{body}"


settings().runs.mkdir(parents=True, exist_ok=True)
app.mount("/runs", StaticFiles(directory=settings().runs), "runs")
