"""Job orders have a rank and say what to make; factories have a version of the messages"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Money

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_orders", sa.Column("rank", sa.BigInteger(), nullable=True))
    op.add_column("job_orders", sa.Column("agreed_rank", sa.BigInteger(), nullable=True))
    op.add_column("job_orders", sa.Column("ranked_revision", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("plan_allocations", sa.Column("place", sa.Integer(), nullable=True))
    op.add_column("plan_allocations", sa.Column("price", Money(), nullable=True))
    op.add_column("plan_allocations", sa.Column("currency", sa.String(length=3), nullable=True))
    op.add_column("lots", sa.Column("style_name", sa.String(length=200), nullable=True))
    op.add_column("lots", sa.Column("specification_url", sa.Text(), nullable=True))
    op.add_column("lot_skus", sa.Column("size", sa.String(length=200), nullable=True))
    op.add_column("factory_status", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
