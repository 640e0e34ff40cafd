"""The merchant's own id and numbers of orders, styles and SKUs, beside ours"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("merchant_order_id", sa.String(length=64), nullable=True))
    # Until now order_code held the id of the merchant's feed, and before 0013 the order's id was that. The merchant's
    # number comes in with the next day.
    op.execute("UPDATE orders SET merchant_order_id = coalesce(order_code, order_id) WHERE source = 'merchant'")
    op.drop_column("orders", "order_code")
    op.add_column("orders", sa.Column("order_code", sa.String(length=255), nullable=True))
    op.add_column("lots", sa.Column("style_code", sa.String(length=255), nullable=True))
    for column in ("sku_code", "colour_code", "size_code"):
        op.add_column("lot_skus", sa.Column(column, sa.String(length=255), nullable=True))
