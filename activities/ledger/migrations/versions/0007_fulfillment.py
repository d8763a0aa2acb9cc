"""How far the goods of each order are, and what of it is late."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "fulfillments",
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("waiting_on", sa.Text(), nullable=False),
        sa.Column("view", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "promised_on", sa.Date(), nullable=True, comment="the earliest day that an open line is promised for"
        ),
        sa.Column("unwritten_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undelivered_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["order_key"], ["orders.key"], name=op.f("fk_fulfillments_order_key")),
        sa.PrimaryKeyConstraint("order_key"),
    )
    op.create_table(
        "parcels",
        sa.Column("tracking", sa.Text(), nullable=False, comment="the carrier's number"),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["order_key"], ["orders.key"], name=op.f("fk_parcels_order_key")),
        sa.PrimaryKeyConstraint("tracking"),
    )
    op.create_index(
        "ix_fulfillments_promised",
        "fulfillments",
        ["promised_on"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
