"""Dead letters come back"""

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("size_bytes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("digest", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("readmitted_at", Moment(), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
    ):
        op.add_column("dead_letters", column)
    op.create_index(op.f("ix_dead_letters_digest"), "dead_letters", ["digest"])
    _measure()


def _measure() -> None:
    """Size and digest of the letters that are there: of their text, which is all of the message that was kept.

    A replacement character stands for a byte that nobody knows any more: such a letter gets no digest.
    """
    letters = sa.table(
        "dead_letters",
        sa.column("letter_id", sa.String()),
        sa.column("payload", sa.Text()),
        sa.column("size_bytes", sa.Integer()),
        sa.column("digest", sa.String()),
    )
    ledger = op.get_bind()
    known: Sequence[str] = ledger.scalars(sa.select(letters.c.letter_id)).all()
    for letter_id in known:
        this = letters.c.letter_id == letter_id
        text = ledger.scalar(sa.select(letters.c.payload).where(this)) or ""
        digest = "" if "\ufffd" in text else hashlib.sha256(text.encode()).hexdigest()
        ledger.execute(sa.update(letters).where(this).values(size_bytes=len(text.encode()), digest=digest))
