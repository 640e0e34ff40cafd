"""What is in transit when a quantity is reckoned, and what of a job order's pieces was received or lost"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SUM = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = {"order_quantity_skus": ("in_transit",), "job_order_skus": ("received", "lost")}


def upgrade() -> None:
    for table, names in ADDED.items():
        for name in names:
            op.add_column(table, sa.Column(name, SUM, nullable=False, server_default="0"))
