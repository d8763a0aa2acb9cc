"""Quarantine: whether people were told, and who released what, when and why."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.alter_column(
        "notifications",
        "state",
        comment="waiting, done, quarantined, dropped",
        existing_comment="waiting, done, quarantined",
        existing_type=sa.Text(),
        existing_nullable=False,
    )
    op.add_column("notifications", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "notifications",
        sa.Column(
            "releases",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
            comment="who released or dropped it, when, why",
        ),
    )
