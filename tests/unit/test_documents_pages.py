"""The pages of documents: each plan's files and how it stands, and nothing else of C2M_HOME."""

import asyncio
import importlib
from dataclasses import replace
from pathlib import Path

import httpx
from ledger_kit import NOW, plan_of

from c2m.ledger import plans, store


def test_the_files_of_a_plan_are_listed_and_served_and_nothing_beside_them(home: Path) -> None:
    folder = home / "runs" / "2026-03-02" / "0a1b-2c" / "plan"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text('{"status": "optimal"}')
    (home / "secret.txt").write_text("no one's business")
    store.migrate()
    with store.session() as session:
        plan_id = plans.propose(session, replace(plan_of([]), folder="runs/2026-03-02/0a1b-2c"))
        plans.reject(session, plan_id, "ann", "two lots <late>", NOW)
    import flows.documents

    app = importlib.reload(flows.documents).app

    async def get(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.get(path)

    pages = {
        path: asyncio.run(get(path))
        for path in (
            "/runs/2026-03-02/0a1b-2c/",
            "/runs/2026-03-02/0a1b-2c/plan/report.json",
            "/runs/2026-03-03/0a1b-2c/",
            "/runs/monday/0a1b-2c/",
            "/runs/2026-03-02/%2e%2e/",
            "/runs/%2e%2e/secret.txt",
            "/secret.txt",
        )
    }
    assert [page.status_code for page in pages.values()] == [200, 200, 404, 422, 422, 404, 404]
    assert "rejected by ann on 2026-" in pages["/runs/2026-03-02/0a1b-2c/"].text
    assert "two lots &lt;late&gt;" in pages["/runs/2026-03-02/0a1b-2c/"].text
    assert 'href="plan/report.json"' in pages["/runs/2026-03-02/0a1b-2c/"].text
    assert pages["/runs/2026-03-02/0a1b-2c/plan/report.json"].json() == {"status": "optimal"}
