"""Relays share the work"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "relay_leases",
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("relay", sa.String(length=200), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("factory_id", name=op.f("pk_relay_leases")),
    )
    op.create_index(op.f("ix_relay_leases_relay"), "relay_leases", ["relay"])
