"""Calls to the outside systems: counts, the vendors' own numbers and wishes, and probes that several share."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "call_counts",
        sa.Column("allowance", sa.Text(), nullable=False, comment="an endpoint, or the org that several share"),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("allowance", "hour"),
    )
    op.create_table(
        "call_limits",
        sa.Column("allowance", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False, comment="what the vendor said last"),
        sa.Column("allowed", sa.BigInteger(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("allowance"),
    )
    op.create_table(
        "slow_downs",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("endpoint"),
    )
    op.create_table(
        "probes",
        sa.Column("shared", sa.Text(), nullable=False, comment="what several endpoints share: one org and one user"),
        sa.Column("up", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("shared"),
    )
