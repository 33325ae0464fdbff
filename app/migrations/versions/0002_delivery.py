"""Delivery at full strength: traces, webhooks, alarms, and what operators see of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("entry", sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.add_column("send_log", sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.add_column("target", sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.add_column(
        "target",
        sa.Column(
            "fetched_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
    )
