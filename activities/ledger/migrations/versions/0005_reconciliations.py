"""Reconciliations: what was read from the systems while one is under way, and what it found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "ask",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="what is compared, and who asked",
        ),
        sa.Column("scheduled", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="running, done, failed"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="why it failed"),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("unexplained", sa.Integer(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_reconciliations_began_at"), "reconciliations", ["began_at"], unique=False)
    op.create_table(
        "reconciled_orders",
        sa.Column("reconciliation", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False, comment="was not in step at the first look"),
        _of_reconciliation("reconciled_orders"),
        sa.PrimaryKeyConstraint("reconciliation", "order_key"),
    )
    op.create_table(
        "statements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reconciliation", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _of_reconciliation("statements"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_statements_order", "statements", ["reconciliation", "order_key"], unique=False)
    op.create_table(
        "differences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reconciliation", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("explained", sa.Boolean(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _of_reconciliation("differences"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_differences_place", "differences", ["reconciliation", "explained", "id"], unique=False)


def _of_reconciliation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["reconciliation"], ["reconciliations.id"], name=f"fk_{table}_reconciliation", ondelete="CASCADE"
    )
