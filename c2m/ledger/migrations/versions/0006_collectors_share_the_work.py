"""Collectors share the work"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "factory_reports",
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("collector", sa.String(length=200), nullable=False),
        sa.Column("through", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("factory_id", "collector", name=op.f("pk_factory_reports")),
    )
