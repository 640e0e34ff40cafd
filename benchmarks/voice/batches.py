"""Is a bad batch found within five days of its first sale, and how many good ones are called bad? Planted worlds.

    .venv/bin/python -m benchmarks.voice.batches [--worlds 200] [--seed 1]

Each world: a style of which 90 days were sold (80 a day), then a good and a bad batch. Usual complaints: 4 to 9 % of
the pieces; a bad batch has four times as many. They are known after a delay of one day and a geometric rest (mean
three days). The evidence is the SQL of the warehouse (dbt_project/macros/voices.sql), looked at every day for 30 days.
"""

import argparse

import duckdb
import numpy as np
import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader

from c2m.warehouse.published import PROJECT

DAYS, SOLD_A_DAY, HISTORY, WORSE, DELAY_DAYS = 30, 80, 90, 4.0, 3.0
POLICY = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]["complaints"]


def world(random: np.random.Generator, number: int) -> pd.DataFrame:
    """A row per batch and day since its first sale: complaints, exposed, others, others_exposed."""
    rate = random.uniform(0.04, 0.09)
    sold_before = HISTORY * SOLD_A_DAY
    others, exposed_before = random.binomial(sold_before, rate), float(sold_before)
    weight = POLICY["weight_pieces"]
    usual = (others + POLICY["rate"] * weight) / (exposed_before + weight)
    rows = []
    for is_bad in (False, True):
        sold = random.poisson(SOLD_A_DAY, DAYS)
        wrong = random.binomial(sold, min(rate * (WORSE if is_bad else 1), 1))
        known = np.zeros(DAYS)
        for day, count in enumerate(wrong):
            at = day + random.geometric(1 / DELAY_DAYS, count)
            known += np.bincount(at[at < DAYS], minlength=DAYS)
        age = np.arange(DAYS)
        share = 1 - (1 - 1 / DELAY_DAYS) ** age
        exposed = [float((sold[: day + 1] * share[day::-1]).sum()) for day in range(DAYS)]
        rows.append(
            pd.DataFrame({"world": number, "is_bad": is_bad, "day": age, "complaints": known.cumsum()}).assign(
                exposed=exposed, others=others + usual * weight, others_exposed=exposed_before + weight
            )
        )
    return pd.concat(rows, ignore_index=True).query("exposed > 0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random = np.random.default_rng(given.seed)
    worlds = pd.concat([world(random, number) for number in range(given.worlds)], ignore_index=True)  # noqa: F841
    macros = Environment(loader=FileSystemLoader(PROJECT / "macros"), autoescape=False).get_template("voices.sql")
    module = macros.make_module({"var": lambda name: POLICY})
    evidence = module.batch_evidence("complaints", "exposed", "others", "others_exposed")  # type: ignore[attr-defined]
    found = duckdb.sql(f"""
        SELECT is_bad, world, min(day) FILTER (
            complaints >= {POLICY["least"]} AND {evidence} >= -ln({POLICY["false_alarms"]})) AS found_on
        FROM worlds GROUP BY ALL""").df()
    good, bad = found[~found["is_bad"]], found[found["is_bad"]]
    soon = (bad["found_on"] <= 5).mean()
    print(
        f"{given.worlds} worlds, {SOLD_A_DAY} pieces a day, {WORSE:.0f} times the complaints, {DELAY_DAYS} days later"
    )
    print(f"good batches ever called bad in {DAYS} days: {good['found_on'].notna().mean():.1%} (target at most 5 %)")
    print(f"bad batches found within 5 days of the first sale: {soon:.1%}; median day {bad['found_on'].median():.0f}")


if __name__ == "__main__":
    main()
