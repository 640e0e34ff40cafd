"""Who has looked at a plan and let it wait"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan_holds",
        sa.Column("hold_id", sa.String(length=64), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_plan_holds_plan_id")),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_plan_holds")),
    )
    op.create_index(op.f("ix_plan_holds_plan_id"), "plan_holds", ["plan_id"])
