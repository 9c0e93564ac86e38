"""Which texts suppliers ever sent, by keyed hash."""

import sqlalchemy as sa
from alembic import op

revision = "fulfillment_0002"
down_revision = "fulfillment_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supplied_texts",
        sa.Column("blind_index", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("blind_index"),
    )
