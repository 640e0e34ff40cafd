"""Who may sign in to the order room"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROLES = ("operator", "planner", "data", "auditor", "merchant", "factory")


def upgrade() -> None:
    role = sa.Enum(*ROLES, name="role", native_enum=False, length=20, create_constraint=True)
    op.create_table(
        "room_links",
        sa.Column("link_id", sa.String(64), nullable=False),
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("role", role, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("used_at", Moment),
        sa.Column("revoked_at", Moment),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_room_links")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_room_links_token_sha256")),
    )
