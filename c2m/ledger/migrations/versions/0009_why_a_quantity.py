"""Why each replenishment lot has its quantity, and which plan each revision of a job order came from"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment, Money

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

QUANTILES = ("q05", "q10", "q20", "q30", "q40", "q50", "q60", "q70", "q80", "q90", "q95", "q975")


def upgrade() -> None:
    op.create_table(
        "order_quantities",
        sa.Column("lot_id", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("merchant_id", sa.String(length=64), nullable=False),
        sa.Column("style_id", sa.String(length=64), nullable=False),
        sa.Column("colour", sa.String(length=200), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("build_id", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("forecast_at", Moment(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("forecast_mean", sa.Double(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in QUANTILES),
        sa.Column("price", Money(), nullable=False),
        sa.Column("cost", Money(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("salvage_share", sa.Double(), nullable=False),
        sa.Column("holding_share_per_day", sa.Double(), nullable=False),
        sa.Column("critical_ratio", sa.Double(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("needed", sa.Double(), nullable=False),
        sa.Column("trigger_share", sa.Double(), nullable=False),
        sa.Column("minimum_order_pieces", sa.Integer(), nullable=False),
        sa.Column("lot_quantity", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.lot_id"], name=op.f("fk_order_quantities_lot_id")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_order_quantities")),
    )
    op.create_index(op.f("ix_order_quantities_business_date"), "order_quantities", ["business_date"])
    op.create_table(
        "order_quantity_skus",
        sa.Column("lot_id", sa.String(length=64), nullable=False),
        sa.Column("sku_id", sa.String(length=64), nullable=False),
        sa.Column("sku_colour", sa.String(length=200), nullable=False),
        sa.Column("size_share", sa.Double(), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.Column("on_order", sa.Integer(), nullable=False),
        sa.Column("lacking", sa.Double(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["order_quantities.lot_id"], name=op.f("fk_order_quantity_skus_lot_id")),
        sa.PrimaryKeyConstraint("lot_id", "sku_id", name=op.f("pk_order_quantity_skus")),
    )
    op.create_table(
        "job_order_revisions",
        sa.Column("job_order_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("started", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_order_id"], ["job_orders.job_order_id"], name=op.f("fk_job_order_revisions_job_order_id")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_job_order_revisions_plan_id")),
        sa.PrimaryKeyConstraint("job_order_id", "revision", name=op.f("pk_job_order_revisions")),
    )
