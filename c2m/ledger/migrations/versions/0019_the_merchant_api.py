"""Quotes, what was answered to a key, and what merchants are told at addresses of theirs"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "quotes",
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("quote_id", "merchant_id", "plan_id")),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("valid_until", Moment, nullable=False),
        sa.Column("offer", sa.String(20), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("accepted_at", Moment),
        sa.PrimaryKeyConstraint("quote_id", name=op.f("pk_quotes")),
    )
    op.create_table(
        "api_answers",
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("request_id", "merchant_id", "body_sha256")),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_api_answers")),
    )
    op.create_table(
        "webhooks",
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("webhook_id", "merchant_id")),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("after", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("ended_at", Moment),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "merchant_events",
        sa.Column("position", POSITION, nullable=False, autoincrement=True),
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("event_id", "merchant_id", "order_id")),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("happened_at", Moment, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_merchant_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_merchant_events_event_id")),
    )
    op.create_table(
        "webhook_calls",
        sa.Column("webhook_id", sa.String(64), nullable=False),
        sa.Column("position", POSITION, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", Moment),
        sa.Column("answer", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", "position", name=op.f("pk_webhook_calls")),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.webhook_id"], name=op.f("fk_webhook_calls_webhook_id")),
        sa.ForeignKeyConstraint(["position"], ["merchant_events.position"], name=op.f("fk_webhook_calls_position")),
    )
    for table, column in INDEXES:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


INDEXES = (
    ("quotes", "merchant_id"),
    ("quotes", "accepted_at"),
    ("api_answers", "at"),
    ("webhooks", "merchant_id"),
    ("merchant_events", "merchant_id"),
    ("webhook_calls", "next_attempt_at"),
)
