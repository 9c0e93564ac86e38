"""The tables of risk."""

import sqlalchemy as sa
from alembic import op

revision = "risk_0001"
down_revision = None
branch_labels = ("risk",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "list_entries",
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_table(
        "windows",
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.Column("idle_from", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "value"),
    )
    op.create_index(op.f("ix_windows_idle_from"), "windows", ["idle_from"], unique=False)
