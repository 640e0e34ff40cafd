"""What is said in the room of an order, and what its merchant asks to change"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ROLES = ("operator", "planner", "data", "auditor", "merchant", "factory")
KINDS = ("cut", "cancel", "grow", "date", "address")
STATES = ("asked", "planned", "sent", "answered", "done", "refused")


def upgrade() -> None:
    op.create_table(
        "room_posts",
        sa.Column("post_id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("factory_id", sa.String(64), nullable=False),
        sa.Column("role", _one_of(ROLES, "role"), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_room_posts")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_room_posts_order_id")),
    )
    op.create_index(op.f("ix_room_posts_order_id"), "room_posts", ["order_id"])
    op.create_table(
        "room_tickets",
        sa.Column("ticket_id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("kind", _one_of(KINDS, "kind"), nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("state", _one_of(STATES, "state"), nullable=False),
        sa.Column("answer", sa.String(200), nullable=False),
        sa.Column("answered", sa.JSON, nullable=False),
        sa.Column("history", sa.JSON, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_room_tickets")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_room_tickets_order_id")),
    )
    for column in ("order_id", "state"):
        op.create_index(op.f(f"ix_room_tickets_{column}"), "room_tickets", [column])


def _one_of(words: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, length=20, create_constraint=True)
