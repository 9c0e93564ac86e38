"""What a channel said of a payment and that nobody has seen to yet."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0014"
down_revision = "gateway_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("open_items", sa.JSON(), nullable=True))
