"""The first ledger"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment, Money

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _dead_letters()
    _factory_status()
    _inbox()
    _orders()
    _plans()
    _decisions()
    _lots()
    _job_orders()
    _lot_skus()
    _plan_allocations()
    _job_order_skus()
    _outbox()


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("letter_id", sa.String(length=64), nullable=False),
        sa.Column("factory_id", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_dead_letters")),
    )


def _factory_status() -> None:
    op.create_table(
        "factory_status",
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("through", Moment(), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("factory_id", name=op.f("pk_factory_status")),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("effect", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("source", "message_id", name=op.f("pk_inbox")),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("merchant_id", sa.String(length=64), nullable=False),
        sa.Column(
            "source",
            sa.Enum("merchant", "replenishment", name="source", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("parent_order_id", sa.String(length=64), nullable=True),
        sa.Column("placed_on", sa.Date(), nullable=False),
        sa.Column("release_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("tolerance_share", sa.Double(), nullable=False),
        sa.Column("max_factories", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("destination_latitude", sa.Double(), nullable=True),
        sa.Column("destination_longitude", sa.Double(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "in_production",
                "closed",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_merchant_id"), "orders", ["merchant_id"])


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "proposed",
                "released",
                "rejected",
                "superseded",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("objective", Money(), nullable=False),
        sa.Column("bound", Money(), nullable=False),
        sa.Column("gap", sa.Double(), nullable=False),
        sa.Column("status", sa.String(length=200), nullable=False),
        sa.Column("split_orders", sa.Integer(), nullable=False),
        sa.Column("unmet_pieces", sa.Integer(), nullable=False),
        sa.Column("instance_sha256", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=True),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_business_date"), "plans", ["business_date"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(length=64), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column(
            "decision",
            sa.Enum("released", "rejected", name="decision", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("without_lots", sa.JSON(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_decisions_plan_id")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
    )


def _lots() -> None:
    op.create_table(
        "lots",
        sa.Column("lot_id", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("merchant_id", sa.String(length=64), nullable=False),
        sa.Column("style_id", sa.String(length=64), nullable=False),
        sa.Column("colour", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=200), nullable=False),
        sa.Column("crafts", sa.String(length=200), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_value", Money(), nullable=False),
        sa.Column("unit_cost_basis", Money(), nullable=False),
        sa.Column("sam_cut_minutes", sa.Double(), nullable=False),
        sa.Column("sam_sew_minutes", sa.Double(), nullable=False),
        sa.Column("sam_finish_minutes", sa.Double(), nullable=False),
        sa.Column("sam_inspect_minutes", sa.Double(), nullable=False),
        sa.Column("sam_pack_minutes", sa.Double(), nullable=False),
        sa.Column("sam_minutes", sa.Double(), nullable=False),
        sa.Column("shipped", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "in_production",
                "closed",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("at", Moment(), nullable=False),
        sa.CheckConstraint("quantity >= 0 AND shipped >= 0", name=op.f("ck_lots_pieces")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_lots_order_id")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lots")),
    )
    op.create_index(op.f("ix_lots_order_id"), "lots", ["order_id"])
    op.create_index(op.f("ix_lots_state"), "lots", ["state"])


def _job_orders() -> None:
    op.create_table(
        "job_orders",
        sa.Column("job_order_id", sa.String(length=64), nullable=False),
        sa.Column("lot_id", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("merchant_id", sa.String(length=64), nullable=False),
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("requested", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "Released",
                "NotAllowedToStart",
                "AllowedToStart",
                "Running",
                "Interrupted",
                "Ended",
                "Aborted",
                "Refused",
                "Expired",
                "Cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("answered_revision", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("confirmed_revision", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("accept_by", Moment(), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("good_pieces", sa.Integer(), nullable=False),
        sa.Column("shipped", sa.Integer(), nullable=False),
        sa.Column("defects", sa.Integer(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.CheckConstraint("quantity >= 0 AND shipped >= 0", name=op.f("ck_job_orders_pieces")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.lot_id"], name=op.f("fk_job_orders_lot_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_job_orders_order_id")),
        sa.PrimaryKeyConstraint("job_order_id", name=op.f("pk_job_orders")),
        sa.UniqueConstraint("lot_id", "factory_id", "attempt", name=op.f("uq_job_orders_lot_id_factory_id_attempt")),
    )
    op.create_index(op.f("ix_job_orders_factory_id_state"), "job_orders", ["factory_id", "state"])
    op.create_index(op.f("ix_job_orders_state"), "job_orders", ["state"])


def _lot_skus() -> None:
    op.create_table(
        "lot_skus",
        sa.Column("lot_id", sa.String(length=64), nullable=False),
        sa.Column("sku_id", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("shipped", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 0 AND shipped >= 0", name=op.f("ck_lot_skus_pieces")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.lot_id"], name=op.f("fk_lot_skus_lot_id")),
        sa.PrimaryKeyConstraint("lot_id", "sku_id", name=op.f("pk_lot_skus")),
    )


def _plan_allocations() -> None:
    op.create_table(
        "plan_allocations",
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("lot_id", sa.String(length=64), nullable=False),
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("finish_on", sa.Date(), nullable=False),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.lot_id"], name=op.f("fk_plan_allocations_lot_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_plan_allocations_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "lot_id", "factory_id", name=op.f("pk_plan_allocations")),
    )


def _job_order_skus() -> None:
    op.create_table(
        "job_order_skus",
        sa.Column("job_order_id", sa.String(length=64), nullable=False),
        sa.Column("sku_id", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("good_pieces", sa.Integer(), nullable=False),
        sa.Column("shipped", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 0 AND shipped >= 0", name=op.f("ck_job_order_skus_pieces")),
        sa.ForeignKeyConstraint(
            ["job_order_id"], ["job_orders.job_order_id"], name=op.f("fk_job_order_skus_job_order_id")
        ),
        sa.PrimaryKeyConstraint("job_order_id", "sku_id", name=op.f("pk_job_order_skus")),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("job_order_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "sent",
                "answered",
                "void",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Moment(), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["job_order_id"], ["job_orders.job_order_id"], name=op.f("fk_outbox_job_order_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("factory_id", "position", name=op.f("uq_outbox_factory_id_position")),
    )
    op.create_index(op.f("ix_outbox_job_order_id"), "outbox", ["job_order_id"])
    op.create_index(op.f("ix_outbox_state_next_attempt_at"), "outbox", ["state", "next_attempt_at"])
