"""What people decided about runs that have ended, and what mends a feed that cannot go on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column(
        "stuck_runs", sa.Column("remedy", sa.Text(), server_default="", nullable=False, comment="what mends a feed")
    )
    op.add_column(
        "stuck_runs",
        sa.Column("settled", JSONB(), nullable=True, comment="who decided what, when, why"),
    )
    op.alter_column(
        "stuck_runs",
        "kind",
        existing_type=sa.Text(),
        existing_nullable=False,
        comment="failing, ended, feed",
        existing_comment="failing, ended",
    )
