"""Why an import's file could not be read to its end, and after which row."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0009"
down_revision = "gateway_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("imports", sa.Column("broken", sa.Text()))
    op.add_column("imports", sa.Column("last_row", sa.Integer()))
