"""Supplier choice at scale: materials x suppliers x weeks, generated; gap, seconds (also of the processor), the judge.

    .venv/bin/python -m benchmarks.materials.choice [--materials 1000 --suppliers 200 --weeks 26 --seconds 120]

Each material has two to six sellers with three price breaks, packs, smallest purchases and lead times of 1 to 6 weeks;
suppliers' own capacities are 60 % over the mean of what they would deliver if all sellers of a material shared it
evenly, so that some bind. Prices are generated: no public data has prices of materials.
"""

import argparse
import json
import time

import numpy as np
import pandas as pd

from optimization.materials.case import OFFER, Case
from optimization.materials.checking import check
from optimization.materials.choice import choose


def generated(materials: int, suppliers: int, weeks: int, seed: int, room: float = 1.6) -> Case:
    """A case; `room`: suppliers' own capacity over their even share of the weekly needs."""
    draw = np.random.default_rng(seed)
    names = [f"m{number:05}" for number in range(materials)]
    weekly = draw.lognormal(5, 1, materials)
    needs = pd.DataFrame(
        {
            "material_id": np.repeat(names, weeks),
            "period": np.tile(np.arange(1, weeks + 1), materials),
            "quantity": np.round(np.repeat(weekly, weeks) * draw.gamma(2, 0.5, materials * weeks), 1),
        }
    )
    sellers = np.minimum(draw.integers(2, 7, materials), suppliers)
    pairs = [
        (f"s{s:04}", n) for n, k in zip(names, sellers, strict=True) for s in draw.choice(suppliers, k, replace=False)
    ]
    offers = pd.DataFrame(pairs, columns=OFFER)
    usual = offers["material_id"].map(dict(zip(names, weekly, strict=True))).to_numpy()
    base = offers["material_id"].map(dict(zip(names, draw.lognormal(1, 0.6, materials), strict=True))).to_numpy()
    price = base * draw.uniform(0.9, 1.2, len(offers))
    pack = np.maximum(1, np.round(usual * draw.uniform(0.05, 0.4, len(offers))))
    smallest = pack * draw.integers(1, 4, len(offers))
    breaks = [
        offers.assign(from_quantity=smallest + pack * step, price=price * cut)
        for step, cut in ((0, 1.0), (5, 0.96), (15, 0.92))
    ]
    offers = offers.assign(
        lead_periods=draw.integers(1, 7, len(offers)),
        pack=pack,
        order_cost=draw.uniform(10, 60, len(offers)),
        capacity=np.maximum(usual * draw.uniform(1.5, 6, len(offers)), smallest),
    )
    share = offers.assign(even=usual / offers["material_id"].map(dict(zip(names, sellers, strict=True))))
    own = share.groupby("supplier_id")["even"].sum() * room
    own = np.maximum(own, offers.assign(smallest=smallest).groupby("supplier_id")["smallest"].max())
    facts = pd.DataFrame({"material_id": names, "stock": np.round(weekly * 4), "safety": np.round(weekly)})
    worth = pd.Series(base, offers["material_id"]).groupby(level=0).first().reindex(names).to_numpy()
    facts = facts.assign(hold_cost=worth * 0.004, thin_cost=worth * 0.1, short_cost=worth * 2)
    empty = pd.DataFrame({"supplier_id": [], "material_id": [], "period": [], "quantity": []})
    empty = empty.astype({"supplier_id": str, "material_id": str, "period": int, "quantity": float})
    limits = own.rename("capacity").rename_axis("supplier_id").reset_index()
    return Case(facts, needs, empty, offers, pd.concat(breaks, ignore_index=True), limits, weeks)


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("materials", 1000), ("suppliers", 200), ("weeks", 26), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--gap", type=float, default=5e-3)
    asked = parser.parse_args()
    case = generated(asked.materials, asked.suppliers, asked.weeks, asked.seed)
    began = time.process_time()
    found = choose(case, asked.seconds, asked.gap)
    processor_seconds = round(time.process_time() - began, 1)
    verdict = check(case, found.orders, found.objective)
    told = {"gap": found.gap, "objective": found.objective, "bound": found.bound, "seconds": found.seconds}
    told["processor_seconds"] = processor_seconds
    told |= {"orders": len(found.orders), "bound_by_capacity": found.joined, "broken": sorted(verdict.broken)}
    print(json.dumps(told | {"cost": verdict.cost}, indent=1))


if __name__ == "__main__":
    main()
