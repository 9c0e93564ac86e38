"""Several entries of the lists that stand for one value."""

import sqlalchemy as sa
from alembic import op

revision = "risk_0002"
down_revision = "risk_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("list_entries", sa.Column("spellings", sa.JSON(), nullable=True))
