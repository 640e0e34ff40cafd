"""Sessions of the rooms that their holders ended"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "room_ended_sessions",
        sa.Column("session_sha256", sa.String(64), nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("session_sha256", name=op.f("pk_room_ended_sessions")),
    )


def downgrade() -> None:
    op.drop_table("room_ended_sessions")
