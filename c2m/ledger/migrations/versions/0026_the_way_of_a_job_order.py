"""Of how many days the way of a job order's pieces is, which its due day counts in"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# Of an order's last stage the promises know the way; what passes pieces on keeps none until it is planned again.
_KNOWN = """
    UPDATE job_orders SET transit_days = coalesce((
        SELECT max(p.transit_days) FROM promise_factories AS p
        WHERE p.order_id = job_orders.order_id AND p.factory_id = job_orders.factory_id
    ), 0) WHERE stage = stages
"""


def upgrade() -> None:
    for table in ("plan_allocations", "job_orders"):
        op.add_column(table, sa.Column("transit_days", sa.Integer(), nullable=False, server_default="0"))
    op.execute(_KNOWN)


def downgrade() -> None:
    for table in ("plan_allocations", "job_orders"):
        op.drop_column(table, "transit_days")
