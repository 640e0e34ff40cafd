"""When work on a job order began"""

import sqlalchemy as sa
from alembic import op

from c2m.ledger.types import Moment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_orders", sa.Column("begun_at", Moment(), nullable=True))
