"""Notices to operators: which went to which channel; and a comment that named too few states."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False, comment="log, mail, or a chat room by service and digest"),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), server_default="", nullable=False),
        sa.Column("receivers", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, sent, given-up"),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="why the last try failed"),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", "channel"),
    )
    op.create_index(
        "ix_notices_due", "notices", ["channel", "due_at"], unique=False, postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_index(op.f("ix_notices_at"), "notices", ["at"], unique=False)
    op.alter_column("endpoints", "state", comment="how it stands, as activities/watch.py names it")
