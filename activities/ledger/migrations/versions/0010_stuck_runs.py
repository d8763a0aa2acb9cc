"""Runs that cannot go on: since when, why, and whether operators have heard of it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "stuck_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False, comment="the engine's name of its kind"),
        sa.Column("kind", sa.Text(), nullable=False, comment="failing, ended"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False, comment="how it came to be over"),
        sa.Column("over_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_stuck_runs_open",
        "stuck_runs",
        ["run_id", "kind"],
        unique=True,
        postgresql_where=sa.text("over_at IS NULL"),
    )
