"""Which events of a source its reader does not know, beside its position."""

import sqlalchemy as sa
from alembic import op

revision = "kernel_0005"
down_revision = "kernel_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("readers", sa.Column("held", sa.Text(), nullable=True))
    op.add_column("readers", sa.Column("unknown", sa.Text(), nullable=True))
