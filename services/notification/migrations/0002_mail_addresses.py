"""What each mail address got because of orders that nobody had paid for."""

import sqlalchemy as sa
from alembic import op

revision = "notification_0002"
down_revision = "notification_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_addresses",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("unpaid", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )
