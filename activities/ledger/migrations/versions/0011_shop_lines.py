"""Orders of which quantities were cancelled in the shop, for the runs that follow their goods."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "shop_lines",
        sa.Column(
            "order_key", sa.Text(), nullable=False, comment="orders of which quantities were cancelled in the shop"
        ),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("order_key"),
    )
