"""Which rules a campaign's segment had when it was approved."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("campaign", sa.Column("approved_rules", sa.Integer(), nullable=True))
    # what is approved already was approved with the rules of today
    op.execute(
        "UPDATE campaign SET approved_rules = (SELECT revision FROM segment WHERE segment.id = campaign.segment_id) "
        "WHERE approved_by <> ''"
    )
