"""The states of orders, plans, messages and job orders, and which of them follow which.

Job orders move forward only: by rank, except that work may be interrupted and resumed.
"""

from typing import Literal

OrderState = Literal["open", "in_production", "closed", "cancelled"]
PlanState = Literal["proposed", "released", "rejected", "superseded"]
Decided = Literal["released", "rejected"]
Delivery = Literal["pending", "sent", "answered", "void"]
Source = Literal["merchant", "replenishment"]
# Of a person in the order room; merchants and factories see their own rows alone.
Role = Literal["operator", "planner", "data", "auditor", "merchant", "factory"]
# Of what a merchant asks to change: no more, no longer, more, another date or address; and how far the question is.
TicketKind = Literal["cut", "cancel", "grow", "date", "address"]
TicketState = Literal["asked", "planned", "sent", "answered", "done", "refused"]
JobState = Literal[
    "Released",
    "NotAllowedToStart",
    "AllowedToStart",
    "Running",
    "Interrupted",
    "Ended",
    "Aborted",
    "Refused",
    "Expired",
    "Cancelled",
]

RANK: dict[JobState, int] = {
    "Released": 0,
    "NotAllowedToStart": 1,
    "AllowedToStart": 2,
    "Running": 3,
    "Interrupted": 3,
    "Ended": 4,
    "Aborted": 4,
    "Refused": 4,
    "Expired": 4,
    "Cancelled": 4,
}
LIVE = tuple(state for state, rank in RANK.items() if rank < 4)
OPEN_TICKETS: tuple[TicketState, ...] = ("asked", "planned", "sent", "answered")
UNFINISHED = ("open", "in_production")  # orders and lots
STARTED = ("Running", "Interrupted")
BEGUN = (*STARTED, "Ended")
WAITING = tuple(state for state in LIVE if state not in STARTED)
# The factory owes nothing any more; if it says that it goes on, it is told to stop.
GIVEN_BACK = ("Refused", "Expired", "Cancelled", "Aborted")


def advance(current: JobState, said: JobState) -> JobState:
    """The state after a factory's newer word: `said` where it leads forward, else the current one."""
    if RANK[current] == 4 or RANK[said] < RANK[current]:
        return current
    return said
