"""When job orders of simulated lines will finish, and which will be late: predicted each morning, judged in the end.

    .venv/bin/python -m benchmarks.finish.prediction          (three minutes)
    ... --tune                        (how the limits of the alert were chosen)

The lines are those of benchmarks/finish/sewing_lines.py. Each belongs to a factory with a calendar of its own
(Sundays, some half Saturdays, holidays) and works one job order after the other, 100 to 5,000 pieces. A job order is
released while the line's queue is short; its due day is the planner's finish at the mean efficiency, plus slack.
Every morning, from scans up to the evening before, each job order that is released and not done gets a prediction, by
`models.finish.prediction` and by straight extrapolation of its scan rate. The rule of the alert was chosen on TUNED
and is judged on JUDGED.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.finish import sewing_lines
from c2m.domain import alert_rules
from c2m.settings import RobotPolicy, settings
from models.finish import backlog, prediction

Floats = NDArray[np.float64]

TUNED, JUDGED = (11, 12), (21, 22, 23, 24)
LINES, LINES_PER_FACTORY = 400, 4
WARM_UP, DAYS, TAIL = 60, 90, 60  # working days: of which is learned; that are judged; in which the last ones finish
AHEAD = 60  # working days that a prediction looks ahead
RELEARN = 15  # working days between two times that the common figures are learned again
PIECES, SAM_MINUTES, OPERATORS, SHIFT_MINUTES = (100, 5000), (8.0, 30.0), (10, 40), 480
QUEUE_DAYS = (4, 15)  # of planned work on a line, below which the next job order is released
SLACK_SHARE, SLACK_DAYS = (0.0, 0.25), 1.0  # of the planned time, and beside it
HOLIDAYS, HALF_SATURDAYS = 0.02, 0.5
SIZES = (99, 300, 1000, 2500, 5000)


@dataclass
class Line:
    """A line's working days: their dates (days since the start), paid minutes, undisturbed efficiency."""

    dates: NDArray[np.intp]
    paid: Floats
    potential: Floats


def lines(random: np.random.Generator) -> list[Line]:
    """LINES of them; those of one factory share its calendar."""
    count = WARM_UP + DAYS + TAIL
    efficiency = sewing_lines.days(random, sewing_lines.levels(random, LINES), count)
    made = []
    for first in range(0, LINES, LINES_PER_FACTORY):
        calendar, half = np.arange(2 * count), random.random() < HALF_SATURDAYS
        open_ = calendar[(calendar % 7 != 6) & (random.random(len(calendar)) > HOLIDAYS)][:count]
        shift = np.where((open_ % 7 == 5) & half, 0.5, 1.0) * SHIFT_MINUTES
        made += [
            Line(open_, shift * random.integers(*OPERATORS), of_line)
            for of_line in efficiency[first : first + LINES_PER_FACTORY]
        ]
    return made


class Floor:
    """One line at work, day after day: what it earned, and its job orders with what is left of them each morning."""

    def __init__(self, line: Line, random: np.random.Generator) -> None:
        self.line, self._random = line, random
        self.efficiency, self.changed = np.empty(len(line.dates)), np.zeros(len(line.dates), dtype=bool)
        self.job_orders: list[dict[str, float]] = []
        self.mornings: list[list[tuple[int, float]]] = []  # (job order, standard minutes left), the line's order
        self._queue: list[int] = []
        self._queue_days = random.uniform(*QUEUE_DAYS)

    def run(self) -> "Floor":
        """Every day."""
        for day in range(len(self.line.dates)):
            self._release(day)
            self.mornings.append([(number, self.job_orders[number]["left"]) for number in self._queue])
            self._work(day)
        return self

    def _release(self, day: int) -> None:
        planned = self.line.paid.mean() * sewing_lines.MEAN
        while (queued := sum(self.job_orders[n]["left"] for n in self._queue)) < self._queue_days * planned:
            pieces = int(np.exp(self._random.uniform(*np.log(PIECES))))
            work = pieces * self._random.uniform(*SAM_MINUTES)
            needed = (queued + work) / planned * (1 + self._random.uniform(*SLACK_SHARE)) + SLACK_DAYS
            due_day = min(day + int(np.ceil(needed)) - 1, len(self.line.dates) - 1)
            row = {"pieces": pieces, "work": work, "left": work, "due_date": float(self.line.dates[due_day])}
            self._queue.append(len(self.job_orders))
            self.job_orders.append(row | {"released": day, "started": np.nan, "finished": np.nan})

    def _work(self, day: int) -> None:
        """As sewing_lines has it: a day with a change of style is worth less; a line may just reach its change."""
        paid = self.line.paid[day]
        current = self.job_orders[self._queue[0]]
        earned = paid * self.line.potential[day]
        after_change = earned * sewing_lines.CHANGE_RATIO
        if np.isnan(current["started"]) or current["left"] < after_change:
            self.changed[day], earned = True, after_change
        elif current["left"] < earned:
            earned = current["left"]
        self.efficiency[day] = earned / paid
        self._book(day, earned)

    def _book(self, day: int, earned: float) -> None:
        spent = 0.0
        while self._queue and spent < earned:
            current = self.job_orders[self._queue[0]]
            if np.isnan(current["started"]):
                current["started"] = day + spent / earned
            worked = min(current["left"], earned - spent)
            spent, current["left"] = spent + worked, current["left"] - worked
            if current["left"] <= 1e-9:
                current["finished"] = day + spent / earned
                self._queue.pop(0)


def predictions(seed: int) -> pd.DataFrame:
    """A row per job order and morning: what was predicted, and what came."""
    random = np.random.default_rng(seed)
    floors = [Floor(line, random).run() for line in lines(random)]
    efficiency, changed = (np.array([getattr(floor, name) for floor in floors]) for name in ("efficiency", "changed"))
    rows = []
    for day in range(WARM_UP, WARM_UP + DAYS):
        past = prediction.Past(efficiency[:, :day], changed[:, :day])
        if (day - WARM_UP) % RELEARN == 0:
            process = prediction.own(prediction.learn(past), past)
            now = prediction.standing(process, past)[0]
        rows.append(morning(floors, day, process, now))
        now = now.next_day(process).seen(process, efficiency[:, day], changed[:, day])[0]
    return judged(pd.concat(rows, ignore_index=True), floors)


def morning(floors: list[Floor], day: int, process: prediction.Process, now: prediction.LineState) -> pd.DataFrame:
    """Predictions for every job order that is released and not done, scans known up to the evening before."""
    rows = pd.DataFrame(
        [(line, n, left) for line, floor in enumerate(floors) for n, left in floor.mornings[day]],
        columns=["line", "job_order", "left"],
    )
    held = [floors[line].job_orders[n] for line, n in zip(rows["line"], rows["job_order"], strict=True)]
    known = pd.DataFrame(held)[["pieces", "work", "due_date", "released", "started", "finished"]]
    rows = pd.concat([rows, known], axis=1).assign(day=day)
    rows["running"] = rows["started"] < day
    paid = np.array([floor.line.paid[day : day + AHEAD] for floor in floors])
    dates = np.array([floor.line.dates[day : day + AHEAD] for floor in floors])
    index = rows["line"].to_numpy()
    rows["due"] = (dates[index] <= rows["due_date"].to_numpy()[:, None]).sum(axis=1)
    day_work, change = (now.level * paid.mean(axis=1))[index], process.change
    queue = rows[["line", "left"]].assign(share=rows["running"].astype(float), begin=0.0)
    work = backlog.work_until_finish(queue.assign(left=queue["left"] + backlog.of_changes(queue, day_work, change)))
    last_day = backlog.last_day(queue, day_work, change)
    found = prediction.finish(
        process.take(index), now.take(index), work, paid[index], rows[["due"]].to_numpy(), last_day
    )
    rows[["q10", "q50", "q90"]] = day + found.days
    rows["late_chance"] = found.late[:, 0]
    rate = (rows["work"] - rows["left"]) / (day - rows["started"])
    rows["straight"] = np.where(rows["running"], day + rows["left"] / rate, np.nan)
    return rows


def judged(rows: pd.DataFrame, floors: list[Floor]) -> pd.DataFrame:
    """With whether the job order was late in the end; those that the simulation did not finish are left out."""
    rows = rows[rows["finished"].notna()].copy()
    dates = np.array([floor.line.dates for floor in floors])
    rows["late"] = dates[rows["line"], np.ceil(rows["finished"]).astype(int) - 1] > rows["due_date"]
    rows["whole"] = (rows["released"] >= WARM_UP) & (rows["day"] + rows["due"] <= WARM_UP + DAYS)  # as they were seen
    rows["straight_late"] = (np.ceil(rows["straight"] - rows["day"]) > rows["due"]).where(rows["running"], False)
    return rows


def coverage(rows: pd.DataFrame, by: pd.Series) -> pd.DataFrame:
    """Share of predictions whose 80 % range held the finish, and the errors in working days."""
    facts = pd.DataFrame(
        {
            "predictions": 1,
            "in_range": (rows["finished"] >= rows["q10"]) & (rows["finished"] <= rows["q90"]),
            "below": rows["finished"] < rows["q10"],
            "above": rows["finished"] > rows["q90"],
            "range_days": rows["q90"] - rows["q10"],
            "error_days": (rows["q50"] - rows["finished"]).abs(),
            "straight_days": (rows["straight"] - rows["finished"]).abs(),
        }
    )
    how = dict.fromkeys(facts.columns, "mean") | {"predictions": "sum"}
    return facts.groupby(by, observed=True).agg(how)


def alerts(rows: pd.DataFrame, raised: pd.Series) -> dict[str, float]:
    """Of late job orders those alerted a day before the due day passed; of alerted ones those that were not late.

    alerted_before: of late ones those that were alerted on the working day before the due day, or earlier.
    """
    rows = rows[rows["whole"] & (rows["due"] >= 1)]
    timely = rows[raised.reindex(rows.index)]
    first = timely.groupby(["seed", "line", "job_order"]).agg(late=("late", "first"), due=("due", "max"))
    judged_orders = rows.groupby(["seed", "line", "job_order"])["late"].first()
    return {
        "job_orders": len(judged_orders),
        "late": judged_orders.mean(),
        "alerted": first["late"].sum() / judged_orders.sum(),
        "false": 1 - first["late"].mean(),
        "alerted_before": (first["late"] & (first["due"] >= 2)).sum() / judged_orders.sum(),
        "days_before": first.loc[first["late"], "due"].median(),
    }


def rule(rows: pd.DataFrame, policy: RobotPolicy) -> pd.Series:
    """Mornings on which an alert is raised."""
    return alert_rules.is_late(rows["late_chance"], rows["due"], policy)


def of_seeds(seeds: tuple[int, ...]) -> pd.DataFrame:
    """Predictions of several simulated worlds."""
    return pd.concat([predictions(seed).assign(seed=seed) for seed in seeds], ignore_index=True)


def curve(rows: pd.DataFrame) -> pd.DataFrame:
    """What each pair of limits alerts, and how much of it is false."""
    pairs = [(early, near) for early in (0.7, 0.8, 0.85, 0.9, 0.95) for near in (0.4, 0.5, 0.55, 0.6, 0.7)]
    policies = [RobotPolicy.model_validate({"late_chance": early, "near_chance": near}) for early, near in pairs]
    found = [alerts(rows, rule(rows, policy)) for policy in policies]
    return pd.DataFrame(pairs, columns=["late_chance", "near_chance"]).join(pd.DataFrame(found))


def main() -> None:
    """Prints every figure."""
    if "--tune" in sys.argv:
        print(f"Limits of the alert, on seeds {TUNED}\n{curve(of_seeds(TUNED)).round(3).to_string(index=False)}")
        return
    rows = of_seeds(JUDGED)
    running, begun = rows[rows["running"]], rows["running"].map({True: "running", False: "not begun"})
    left = pd.cut(running["q50"] - running["day"], [0, 1, 3, 7, 15, np.inf])
    groups = ((rows, begun), (running, left.rename("days left")), (running, pd.cut(running["pieces"], SIZES)))
    for some, by in groups:
        print(coverage(some, by).round(3).to_string(), "\n")
    found = {"robot": rule(rows, settings().robot), "straight extrapolation": rows["straight_late"]}
    print(pd.DataFrame({name: alerts(rows, raised) for name, raised in found.items()}).round(3).to_string())


if __name__ == "__main__":
    main()
