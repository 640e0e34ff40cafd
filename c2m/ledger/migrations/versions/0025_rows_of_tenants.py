"""Rows are held back from other tenants by PostgreSQL itself, wherever a session says whose rows it is to see"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# `store.reading(scope)` sets both for its transaction; nothing is set where the platform works for all. The settings
# are read once a statement, not once a row.
_MERCHANT = "(SELECT coalesce(current_setting('c2m.merchant_id', true), ''))"
_FACTORY = "(SELECT coalesce(current_setting('c2m.factory_id', true), ''))"
_OF_MERCHANT = f"{_MERCHANT} IN ('', merchant_id)"
_WORKS = "EXISTS (SELECT 1 FROM job_orders AS j WHERE j.{column} = {table}.{column} AND j.factory_id = {factory})"


def _made(table: str, column: str) -> str:
    """The merchant's, and of a factory what it makes."""
    works = _WORKS.format(table=table, column=column, factory=_FACTORY)
    return f"{_OF_MERCHANT} AND ({_FACTORY} = '' OR {works})"


def _part(table: str, whole: str, column: str) -> str:
    """What is seen with the whole that it is part of."""
    seen = f"EXISTS (SELECT 1 FROM {whole} AS w WHERE w.{column} = {table}.{column})"  # noqa: S608 - constant text
    return f"({_MERCHANT} = '' AND {_FACTORY} = '') OR {seen}"


_ALONE = f"{_OF_MERCHANT} AND {_FACTORY} = ''"  # no factory's
RULES = {
    "job_orders": f"{_OF_MERCHANT} AND {_FACTORY} IN ('', factory_id)",
    "orders": _made("orders", "order_id"),
    "lots": _made("lots", "lot_id"),
    "promises": _made("promises", "order_id"),
    "room_tickets": _made("room_tickets", "order_id"),
    "room_posts": f"{_made('room_posts', 'order_id')} AND (factory_id = '' OR {_FACTORY} IN ('', factory_id))",
    "lot_skus": _part("lot_skus", "lots", "lot_id"),
    "job_order_skus": _part("job_order_skus", "job_orders", "job_order_id"),
    **dict.fromkeys(("quotes", "webhooks", "merchant_events", "price_proposals"), _ALONE),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, rule in RULES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")  # else not for their owner, who asks
        op.execute(f"CREATE POLICY tenant ON {table} USING ({rule})")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in RULES:
        op.execute(f"DROP POLICY tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
