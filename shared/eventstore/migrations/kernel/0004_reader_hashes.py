"""Which event a reader has applied last, beside its position."""

import sqlalchemy as sa
from alembic import op

revision = "kernel_0004"
down_revision = "kernel_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("readers", sa.Column("hash", sa.LargeBinary(), nullable=True))
    op.add_column("readers", sa.Column("diverged", sa.BigInteger(), nullable=True))
