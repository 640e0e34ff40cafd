"""Surplus, sums past 32 bits, up to when progress is counted, and what a message said"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SUMS = {
    "lots": ["shipped"],
    "lot_skus": ["shipped"],
    "order_quantity_skus": ["on_hand", "on_order"],
    "job_orders": ["good_pieces", "shipped", "defects"],
    "job_order_skus": ["good_pieces", "shipped"],
}


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for table in ("lot_skus", "job_order_skus"):
        op.add_column(table, sa.Column("surplus", whole, nullable=False, server_default="0"))
    op.add_column("inbox", sa.Column("digest", sa.String(length=64), nullable=True))
    op.create_table(
        "counted",
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("through", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_counted")),
    )
    if op.get_bind().dialect.name != "sqlite":  # whose integers have 64 bits
        for table, columns in SUMS.items():
            for column in columns:
                op.alter_column(table, column, type_=sa.BigInteger())
