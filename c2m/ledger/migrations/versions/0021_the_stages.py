"""Lots are made in stages: whose turn it is, and where pieces go from there"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KEY = ["plan_id", "lot_id", "stage", "factory_id"]


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("lots", sa.Column("operations", sa.Text(), nullable=True))
    op.add_column("lots", sa.Column("stages", sa.Integer(), nullable=False, server_default="1"))
    for column in ("stage", "stages"):
        op.add_column("job_orders", sa.Column(column, sa.Integer(), nullable=False, server_default="1"))
    op.add_column("job_orders", sa.Column("next_factory_id", sa.String(length=64), nullable=True))
    op.add_column("job_orders", sa.Column("arrived", whole, nullable=False, server_default="0"))
    with op.batch_alter_table("plan_allocations") as table:
        table.add_column(sa.Column("stage", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("next_factory_id", sa.String(length=64), nullable=True))
        table.drop_constraint(op.f("pk_plan_allocations"), type_="primary")
        table.create_primary_key(op.f("pk_plan_allocations"), KEY)
