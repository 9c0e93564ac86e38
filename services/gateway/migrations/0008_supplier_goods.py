"""How many texts came with a supplier's statement."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0008"
down_revision = "gateway_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("supplier_statements", sa.Column("goods", sa.Integer()))
