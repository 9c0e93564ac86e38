"""How many keys were withdrawn because a supplier sent their texts."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0012"
down_revision = "gateway_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("withdrawn", sa.Integer(), nullable=False, server_default="0"))
