"""Lots that are one shopper's own"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lots", sa.Column("personalisation", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("lots", "personalisation")
