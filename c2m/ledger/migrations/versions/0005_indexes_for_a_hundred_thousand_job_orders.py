"""Indexes for a hundred thousand job orders on their way"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_outbox_job_order_id"), "outbox")
    op.drop_index(op.f("ix_outbox_state_next_attempt_at"), "outbox")
    op.create_index(op.f("ix_outbox_type_state"), "outbox", ["type", "state"])
    op.create_index(op.f("ix_outbox_job_order_id_state"), "outbox", ["job_order_id", "state"])
    untried = sa.text("state = 'pending' AND next_attempt_at IS NULL")
    op.create_index(
        "ix_outbox_untried", "outbox", ["position", "factory_id"], sqlite_where=untried, postgresql_where=untried
    )
    tried = sa.text("next_attempt_at IS NOT NULL")
    columns = ["state", "next_attempt_at", "position"]
    op.create_index("ix_outbox_tried", "outbox", columns, sqlite_where=tried, postgresql_where=tried)
    op.drop_index(op.f("ix_job_orders_state"), "job_orders")
    op.create_index(op.f("ix_job_orders_state_accept_by"), "job_orders", ["state", "accept_by"])
