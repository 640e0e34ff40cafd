"""Measures, on public data, what factories' scores stand on: priors, weights, half-lives, each beside its constant.

    .venv/bin/python -m benchmarks.scores.calibrate

A half-life is judged by what it predicts: each observation from those before it, decayed and shrunk to the prior, by
the mean log likelihood. The constant in dbt_project.yml is as good as the best within one standard error of the
difference.
"""

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from benchmarks.finish import sewing_lines
from c2m.settings import settings
from c2m.warehouse.published import PROJECT

Floats = NDArray[np.float64]
Given = dict[str, float]  # of evidence in dbt_project.yml: prior, weight, half_life_days, most_a_day

HALF_LIVES = (1, 2, 3, 5, 10, 20, 40, 60, 90, 180, 360, 720)
ENTERED_PIECES = 20_822  # pieces of the work orders of production_log, each counted once: an event repeats them
A_DAY = (3, 10, 30, 100, 300, 1000, 3000)  # most observations that a day counts for
EARLY = 10  # observations of an entity before the first that is judged


def between_weight(rate_by: pd.DataFrame) -> float:
    """Within over between variance of entities (n, x): how many observations weigh as much as knowing them all."""
    rate = rate_by["x"].sum() / rate_by["n"].sum()
    within = rate * (1 - rate)
    own, n = rate_by["x"] / rate_by["n"], rate_by["n"]
    between = ((own - rate) ** 2 * n).sum() - (len(rate_by) - 1) * within
    return float(within * (n.sum() - (n**2).sum() / n.sum()) / between)


def likelihoods(rows: pd.DataFrame, half_life_days: float, used: Given) -> Floats:
    """Log likelihood of each row's x of n from its entity's rows before its day. rows: entity, day (number), n, x."""
    found = []
    for _, own in rows.groupby("entity"):
        day, n, x = (own[name].to_numpy(dtype=float) for name in ("day", "n", "x"))
        told = n / (1 + n / used.get("most_a_day", np.inf))
        sums = np.zeros(3)
        for now in range(len(own)):
            if now:
                fade = 0.5 ** ((day[now] - day[now - 1]) / half_life_days)
                sums = (sums + np.array([n[now - 1], x[now - 1], told[now - 1]])) * fade
            if now >= EARLY:
                good, trust = sums[1] / max(sums[0], 1e-300), sums[2]
                rate = (good * trust + used["prior"] * used["weight"]) / (trust + used["weight"])
                rate = np.clip(rate, 1e-6, 1 - 1e-6)
                found.append(x[now] * np.log(rate) + (n[now] - x[now]) * np.log(1 - rate))
    return np.array(found)


def compared(found: dict[float, Floats], name: str) -> pd.DataFrame:
    """`name` (keys), likelihood (mean per row), behind (the best), error (of that difference), as_good."""
    best = max(found.values(), key=lambda values: float(values.mean()))
    table = pd.DataFrame(
        [(key, values.mean(), (best - values).mean(), (best - values).std() / np.sqrt(len(best))) for key, values in
         found.items()], columns=[name, "likelihood", "behind", "error"],
    )  # fmt: skip
    return table.assign(as_good=table["behind"] <= table["error"])


def half_lives(rows: pd.DataFrame, used: Given) -> pd.DataFrame:
    """Half-lives compared."""
    return compared({days: likelihoods(rows, days, used) for days in HALF_LIVES}, "half_life_days")


def days_told(rows: pd.DataFrame, used: Given) -> pd.DataFrame:
    """What a day counts for compared, a usual day weighing as much as one of the entity's own."""
    given = {most: used | {"most_a_day": most, "weight": most} for most in A_DAY}
    return compared({most: likelihoods(rows, used["half_life_days"], one) for most, one in given.items()}, "most_a_day")


def deliveries() -> pd.DataFrame:
    """Deliveries in scms: vendor, day that was planned, late or not, days late, actual over planned days."""
    file = settings().shared_data / "scms" / "SCMS_Delivery_History_Dataset.csv"
    rows = pd.read_csv(file, sep="\t", lineterminator="\r", low_memory=False, encoding_errors="replace")
    planned, came = (
        pd.to_datetime(rows[f"{name} Date"], format="%d-%b-%y")
        for name in ("Scheduled Delivery", "Delivered to Client")
    )
    sent = pd.to_datetime(rows["PO Sent to Vendor Date"], format="mixed", errors="coerce")
    ratio = (came - sent).dt.days / (planned - sent).dt.days.where(lambda days: days >= 7)
    frame = pd.DataFrame({"entity": rows["Vendor"], "day": planned, "late": came > planned})
    return frame.assign(days_late=(came - planned).dt.days, ratio=ratio)


def by_day(rows: pd.DataFrame, good: "pd.Series[float]", weight: "pd.Series[float] | float" = 1.0) -> pd.DataFrame:
    """entity, day (number), n, x."""
    frame = pd.DataFrame({"entity": rows["entity"], "day": rows["day"], "n": weight, "x": good})
    frame["day"] = (frame["day"] - frame["day"].min()).dt.days
    return frame.groupby(["entity", "day"], as_index=False)[["n", "x"]].sum().sort_values(["entity", "day"])


def pieces() -> pd.DataFrame:
    """production_log by machine and day: pieces completed, and those that did not go to review."""
    rows = pd.read_csv(settings().shared_data / "production_log" / "Production.csv", sep=";")
    day = pd.to_datetime(rows["Complete Timestamp"], format="%d.%m.%Y %H:%M").dt.normalize()
    frame = pd.DataFrame({"entity": rows["Resource.1"], "day": day})
    frame["n"], frame["x"] = rows["Qty_Completed"] + rows["Qty_for_MRB"], rows["Qty_Completed"]
    return by_day(frame[frame["n"] > 0], frame["x"], frame["n"])


def level_errors() -> pd.DataFrame:
    """garment_productivity: error of the next 5 and 10 days' mean by the half-life of a line's level."""
    rows = sewing_lines.measured()
    number = pd.Index(sorted(rows["day"].unique()))
    found = []
    for half_life in (3, 5, 10, 20, 40, 1e6):
        errors: dict[int, list[float]] = {5: [], 10: []}
        for _, team in rows.groupby("team"):
            at, ratio = number.get_indexer(team["day"]), team["efficiency"].to_numpy()
            for ahead, own in errors.items():
                own += _errors(at, ratio, half_life, ahead)
        found.append((half_life, *(float(np.sqrt(np.mean(own))) for own in errors.values())))
    return pd.DataFrame(found, columns=["half_life_days", "error_5_days", "error_10_days"])


def _errors(at: Floats, ratio: Floats, half_life: float, ahead: int) -> list[float]:
    memory, weight = sewing_lines.MEMORY, (sewing_lines.SPREAD_OF_DAYS / sewing_lines.SPREAD_OF_LINES) ** 2
    kept = memory ** np.diff(at)
    told = (ratio[1:] - kept * ratio[:-1]) / (1 - kept)  # what each day says of the level
    information = (1 - kept) ** 2 / (1 - kept**2)
    found = []
    for last in range(EARLY, len(at) - 1):
        trust = information[:last] * 0.5 ** ((at[last] - at[1 : last + 1]) / half_life)
        level = ((trust * told[:last]).sum() + sewing_lines.MEAN * weight) / (trust.sum() + weight)
        next_days = (at > at[last]) & (at <= at[last] + ahead)
        if next_days.any():
            expected = level + memory ** (at[next_days] - at[last]) * (ratio[last] - level)
            found.append(float((ratio[next_days].mean() - expected.mean()) ** 2))
    return found


def craft_errors(half_life_days: float, ahead: int = 10) -> pd.DataFrame:
    """garment_productivity: error of the next days' mean of a team's sewing or finishing by the weight of its level.

    A craft is the team's level and its own difference from it, decayed and shrunk by so many days; inf: no difference.
    """
    rows = pd.read_csv(settings().shared_data / sewing_lines.DATA)
    rows["day"] = pd.to_datetime(rows["date"].str.replace("-", "/"), format="%m/%d/%Y")
    rows["craft"], rows["ratio"] = rows["department"].str.strip(), rows["actual_productivity"]
    rows["ratio"] /= rows["targeted_productivity"]
    daily = rows.groupby(["team", "craft", "day"], as_index=False)["ratio"].mean()
    number = pd.Index(sorted(daily["day"].unique()))
    daily["day"] = number.get_indexer(daily["day"])
    weights = (1.0, 4.0, 8.0, 17.0, 34.0, np.inf)
    squares = [
        _craft_squares(
            team[team["day"] < now], team[team["day"].between(now, now + ahead - 1)], weights, half_life_days
        )
        for _, team in daily.groupby("team")
        for now in range(EARLY, len(number) - ahead)
    ]
    return pd.DataFrame({"weight_days": weights, f"error_{ahead}_days": np.sqrt(np.concatenate(squares).mean(axis=0))})


def _craft_squares(past: pd.DataFrame, ahead: pd.DataFrame, weights: tuple[float, ...], half_life: float) -> Floats:
    """(crafts, weights) squared errors; a day of both crafts counts for each by half."""
    past = past.assign(trust=0.5 * 0.5 ** ((past["day"].max() - past["day"]) / half_life))
    level = (past["ratio"] * past["trust"]).sum() / past["trust"].sum()
    past["apart"] = (past["ratio"] - level) * past["trust"]
    sums = past.groupby("craft")[["apart", "trust"]].sum()
    came = ahead.groupby("craft")["ratio"].mean()
    sums = sums.loc[sums.index.intersection(came.index)]
    expected = level + sums[["apart"]].to_numpy() / (sums[["trust"]].to_numpy() + np.array(weights))
    return np.asarray((came[sums.index].to_numpy()[:, None] - expected) ** 2)


def totals() -> pd.DataFrame:
    """Simulated lines: standard deviation of totals over n days over that of a process of one memory, per memory."""
    random, lines = np.random.default_rng(1), 20_000
    level = np.full(lines, sewing_lines.MEAN)
    days = sewing_lines.days(random, level, 40)
    rows = []
    for memory in (0.74, 0.75, 0.76, 0.77, 0.78):
        for n in (1, 5, 10, 20, 40):
            lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
            said = days.std() * np.sqrt((memory**lag).sum())
            rows.append((memory, n, float(days[:, :n].sum(axis=1).std() / said)))
    table = pd.DataFrame(rows, columns=["memory", "days", "ratio"])
    return table.pivot(index="memory", columns="days", values="ratio").reset_index()


def section(title: str, told: str, table: pd.DataFrame | None = None) -> None:
    """Prints a measurement and the constant that stands on it."""
    print(f"\n{title}\n  {told}")
    if table is not None:
        print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


def main() -> None:
    """Prints every figure beside its constant."""
    given = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    evidence: dict[str, Given] = given["evidence"]
    rows = deliveries()
    daily = by_day(rows, 1.0 - rows["late"])
    weight = between_weight(daily.groupby("entity")[["n", "x"]].sum())
    used = evidence["on_time"]
    section(
        "evidence.on_time (scms)",
        f"prior {1 - rows['late'].mean():.3f}, weight {weight:.1f}; used {used}",
        half_lives(daily, used),
    )
    ratios = rows["ratio"][rows["ratio"] > 0]
    most, nearly_all = ratios.quantile(0.9), ratios.quantile(0.95)
    section(
        "evidence.lead_ratio, prior_lead_ratio_log_sd (scms)",
        f"90 % took {most:.3f} of the planned days at most, 95 % {nearly_all:.3f}; spread "
        f"{np.log(nearly_all) / 1.645:.3f}, used {given['prior_lead_ratio_log_sd']}",
    )
    late = rows["days_late"][rows["late"]]
    section(
        "plan.rates.late_days (scms)",
        f"late ones by {late.quantile(0.25):.0f} days (lower quartile), {late.median():.0f} (median)",
    )
    made, used = pieces(), evidence["yield"]
    section(
        "evidence.yield (production_log)",
        f"prior {1 - (made['n'] - made['x']).sum() / ENTERED_PIECES:.4f}; used {used}",
        half_lives(made, used),
    )
    section("evidence.yield.most_a_day (production_log)", f"used {used['most_a_day']}", days_told(made, used))
    lines = sewing_lines.facts(sewing_lines.measured())
    ratio = (sewing_lines.SPREAD_OF_DAYS / sewing_lines.SPREAD_OF_LINES) ** 2
    section(
        "efficiency (garment_productivity)",
        f"spread of days {lines['spread of days'] / lines['mean']:.2f} of the mean (prior_efficiency_day_sd "
        f"{given['prior_efficiency_day_sd']}); of the process: memory {sewing_lines.MEMORY} without stops "
        f"(efficiency_memory {given['efficiency_memory']}), variance of days over lines {ratio:.1f} "
        f"(prior_efficiency_days {given['prior_efficiency_days']})",
        level_errors(),
    )
    section(
        "efficiency by craft (garment_productivity)",
        f"sewing and finishing of a team; used {given['prior_efficiency_days']} days, as for factories",
        craft_errors(given["efficiency_half_life_days"]),
    )
    section("efficiency_memory (sewing_lines)", "spread of totals over n days, over what each memory says", totals())


if __name__ == "__main__":
    main()
