"""The beginnings of the audit's chains may leave for a file, once the ledger keeps where each was cut"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_REFUSAL = "the audit is append-only"
_ARCHIVED = """EXISTS (SELECT 1 FROM audit_archives AS a
    WHERE a.factory_id = OLD.factory_id AND a.position >= OLD.position)"""


def upgrade() -> None:
    op.create_table(
        "audit_archives",
        sa.Column("factory_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("factory_id", "position", name=op.f("pk_audit_archives")),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_delete")
        op.execute(
            f"CREATE TRIGGER audit_delete BEFORE DELETE ON audit WHEN NOT {_ARCHIVED} "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )
        return
    op.execute("DROP TRIGGER audit_change ON audit")
    op.execute(
        "CREATE TRIGGER audit_change BEFORE UPDATE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute(
        "CREATE FUNCTION refuse_audit_delete() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT {_ARCHIVED} THEN RAISE EXCEPTION '{_REFUSAL}'; END IF; RETURN OLD; END $$"
    )
    op.execute("CREATE TRIGGER audit_delete BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_audit_delete()")
