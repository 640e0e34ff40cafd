"""The Data Docs: a page for each judgement of a batch, and an index of the newest. They load nothing from anywhere.

Those that Great Expectations builds load styles and scripts from ten hosts, and list nothing without them.
"""

import json
from datetime import date, datetime
from pathlib import Path

import pandas as pd
from jinja2 import Environment

from c2m.files import write_atomically

_NEWEST = 300  # judgements in the index; older pages stay in the folders of their days
_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#1b1f24}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.35em .7em;"
    "border-bottom:1px solid #d5dae0}.broken{background:#fdecea}a{color:#0b57a4}"
)
_HEAD = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{{{ title }}}}</title><style>{_STYLE}</style><h1>{{{{ title }}}}</h1>
"""
_PAGES = Environment(autoescape=True)
_JUDGEMENT = _PAGES.from_string(
    _HEAD
    + """<p>{{ at }} UTC. {{ broken }} of {{ rows | length }} expectations are broken. <a href="{{ index }}">All</a></p>
<table><tr><th>expectation<th>severity<th>holds<th>observed<th>expected</tr>
{% for row in rows %}<tr{% if not row.passed %} class="broken"{% endif %}><td>{{ row.rule }}<td>{{ row.severity }}
<td>{{ "yes" if row.passed else "no" }}<td>{{ row.observed }}<td>{{ row.expected }}</tr>
{% endfor %}</table></html>
"""
)
_INDEX = _PAGES.from_string(
    _HEAD
    + """<p>What Great Expectations found in the batches of each business day, the newest first.</p>
<table><tr><th>business date<th>batch<th>judged at (UTC)<th>expectations<th>broken<th>of them critical</tr>
{% for one in judgements %}<tr{% if one.critical %} class="broken"{% endif %}><td>{{ one.day }}
<td><a href="{{ one.page }}">{{ one.batch }}</a><td>{{ one.at }}<td>{{ one.rules }}<td>{{ one.broken }}
<td>{{ one.critical }}</tr>
{% endfor %}</table></html>
"""
)


def write(folder: Path, business_date: date, at: datetime, results: pd.DataFrame) -> None:
    """A page for each batch of `results` (batch, rule, severity, passed, observed, expected), and the index anew."""
    moment = f"{at:%Y-%m-%d %H:%M:%S}"
    for batch, rows in results.sort_values("passed", kind="stable").groupby("batch", sort=False):
        page = folder / f"{business_date}" / f"{batch}-{at:%Y%m%dT%H%M%S%f}.html"
        broken = rows[~rows["passed"]]
        told = {
            "day": f"{business_date}",
            "batch": batch,
            "at": moment,
            "rules": len(rows),
            "broken": len(broken),
            "critical": int((broken["severity"] == "critical").sum()),
            "page": f"{page.relative_to(folder)}",
        }
        title = f"{batch}, {business_date}"
        shown = {"rows": rows.to_dict("records"), "title": title, "at": moment, "index": "../index.html"}
        write_atomically(page, _JUDGEMENT.render(shown, broken=len(broken)).encode())
        write_atomically(page.with_suffix(".json"), json.dumps(told).encode())
    newest = sorted(folder.glob("*/*.json"), key=lambda file: (file.parent.name, file.stem.rpartition("-")[2]))
    judgements = [json.loads(file.read_bytes()) for file in newest[: -_NEWEST - 1 : -1]]
    index = _INDEX.render(title="Data Docs", judgements=judgements)
    write_atomically(folder / "index.html", index.encode())
