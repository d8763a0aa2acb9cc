"""Orders that were edited in the shop: which order each one replaces."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    column = sa.Column("replaces", sa.Text(), server_default="", nullable=False, comment="the order before an edit")
    op.add_column("orders", column)
    op.create_index(
        "ix_orders_replaces", "orders", ["store", "replaces"], unique=False, postgresql_where=sa.text("replaces <> ''")
    )
