"""From where on an agenda can be compared with the log."""

import sqlalchemy as sa
from alembic import op

revision = "kernel_0006"
down_revision = "kernel_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("head", sa.Column("agenda_epoch", sa.Integer(), nullable=True))
    op.add_column("head", sa.Column("agenda_since", sa.BigInteger(), nullable=True))
