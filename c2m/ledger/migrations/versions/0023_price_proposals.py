"""Price proposals, and what was decided on them"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_IDS = ("proposal_id", "merchant_id", "style_id", "sku_id")
_MONEY = ("price_now", "price", "list_price", "cost", "minute_price")
_ELASTICITY = ("elasticity", "elasticity_low", "elasticity_high")


def upgrade() -> None:
    op.create_table(
        "price_proposals",
        *(sa.Column(name, sa.String(64), nullable=False) for name in _IDS),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in (*_MONEY, *_ELASTICITY)),
        sa.Column("days", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("gain", "gain_low", "gain_high")),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_at", Moment),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_price_proposals")),
    )
    op.create_index(op.f("ix_price_proposals_day"), "price_proposals", ["day"])


def downgrade() -> None:
    op.drop_table("price_proposals")
