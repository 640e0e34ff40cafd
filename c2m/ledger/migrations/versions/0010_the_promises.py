"""Promised dates of whole orders, and the factories that they stand on"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "promises",
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("merchant_id", sa.String(length=64), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("unplaced", sa.Integer(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=False),
        sa.Column("modelled", sa.Double(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("made_at", Moment(), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_promises_plan_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_promises_order_id")),
        sa.PrimaryKeyConstraint("plan_id", "order_id", name=op.f("pk_promises")),
    )
    op.create_index(op.f("ix_promises_order_id"), "promises", ["order_id"])
    op.create_table(
        "promise_factories",
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("transit_days", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id", "order_id"],
            ["promises.plan_id", "promises.order_id"],
            name=op.f("fk_promise_factories_plan_id"),
        ),
        sa.PrimaryKeyConstraint("plan_id", "order_id", "factory_id", name=op.f("pk_promise_factories")),
    )
