"""Coverage of promises by lane on public deliveries: how often 90 % holds, by mode and by country.

    .venv/bin/python -m benchmarks.promises.lanes

10,324 deliveries of scms (2006 to 2015). A lane is a mode to a country. The two constants of c2m/domain/lanes.py were
chosen on the deliveries planned for 2009 to 2011; those of 2012 to 2015 judge. Each is promised 30 days before its
planned day, by what had been delivered until then.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from c2m.domain.lanes import days_to_add
from c2m.settings import settings

LEVEL, NOTICE_DAYS, FEWEST = 0.9, 30, 100  # countries with fewer deliveries are not told one by one
_FILE = Path("scms") / "SCMS_Delivery_History_Dataset.csv"


def deliveries(file: Path) -> pd.DataFrame:
    """mode, country, planned and received (days since 1970), year, by planned day."""
    told = pd.read_csv(file, sep="\t", lineterminator="\r", encoding="utf-8", encoding_errors="replace")
    told.columns = told.columns.str.strip()
    planned, received = (
        pd.to_datetime(told[name], format="%d-%b-%y")
        for name in ("Scheduled Delivery Date", "Delivered to Client Date")
    )
    day = {"planned": planned, "received": received}
    rows = pd.DataFrame({name: dates.to_numpy().astype("datetime64[D]").astype(int) for name, dates in day.items()})
    rows = rows.assign(mode=told["Shipment Mode"].fillna("not told"), country=told["Country"], year=planned.dt.year)
    return rows.sort_values("planned", kind="stable", ignore_index=True)


def promised(rows: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """The rows planned in these years, with `held`: whether they came by the promised day."""
    planned, received = (rows[name].to_numpy(dtype=np.int64) for name in ("planned", "received"))
    mode, country, late = rows["mode"].to_numpy(), rows["country"].to_numpy(), received - planned
    chosen = np.flatnonzero(rows["year"].between(first, last))
    held = []
    for one in chosen:
        today = planned[one] - NOTICE_DAYS
        known = (received < today) & (mode == mode[one])
        added = days_to_add(late[known], today - received[known], country[known] == country[one], LEVEL)
        held.append(late[one] <= added)
    return rows.iloc[chosen].assign(held=held)


def coverage(judged: pd.DataFrame) -> dict[str, object]:
    """Shares that held: in all, by mode, by country."""
    found: dict[str, object] = {"deliveries": len(judged), "held": round(float(judged["held"].mean()), 4)}
    for name in ("mode", "country"):
        shares = judged.groupby(name)["held"].agg(["mean", "size"])
        shares = shares[shares["size"] >= FEWEST]
        found[f"by {name}"] = {str(key): [round(row["mean"], 3), int(row["size"])] for key, row in shares.iterrows()}
    return found


def main() -> None:
    """Prints one JSON object."""
    rows = deliveries(settings().shared_data / _FILE)
    told = {"2009 to 2011 (chosen on)": promised(rows, 2009, 2011), "2012 to 2015 (judge)": promised(rows, 2012, 2015)}
    print(json.dumps({years: coverage(judged) for years, judged in told.items()}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
