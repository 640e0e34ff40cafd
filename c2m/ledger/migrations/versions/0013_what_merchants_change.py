"""Codes of orders, why lots wait, and what is asked of a factory when a merchant wants less"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("order_code", sa.String(length=200), nullable=True))
    op.add_column("lots", sa.Column("waits", sa.Text(), nullable=False, server_default=""))
    op.add_column("job_orders", sa.Column("asked_pieces", sa.Integer(), nullable=True))
    op.add_column("job_orders", sa.Column("made_pieces", sa.Integer(), nullable=True))
    op.add_column("job_orders", sa.Column("cut_accepted", sa.Boolean(), nullable=True))
