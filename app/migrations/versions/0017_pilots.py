"""Trials in some stores, and what campaigns came to."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "campaign_result",
        sa.Column("campaign_id", BIG, autoincrement=False, nullable=False),
        sa.Column("computed_at", sa.BigInteger(), nullable=False),
        sa.Column("again_at", sa.BigInteger(), nullable=False),
        sa.Column("final", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_result")),
    )
    op.create_index("ix_campaign_result_again_at", "campaign_result", ["again_at"], unique=False)
    op.create_table(
        "campaign_worth",
        sa.Column("campaign_id", BIG, autoincrement=False, nullable=False),
        sa.Column("margin_minor", BIG, nullable=True),
        sa.Column("redemption_minor", BIG, nullable=False),
        sa.Column("sending_minor", BIG, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_worth")),
    )
    op.create_table(
        "pilot",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("before_on", sa.Date(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('offer', 'campaign', 'rule')", name=op.f("ck_pilot_kind")),
        sa.CheckConstraint("state IN ('open', 'widened', 'stopped')", name=op.f("ck_pilot_state")),
        sa.CheckConstraint("before_on < starts_on AND starts_on <= ends_on", name=op.f("ck_pilot_days")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_pilot_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pilot")),
        sa.UniqueConstraint("public_id", name=op.f("uq_pilot_public_id")),
    )
    op.create_index("ix_pilot_programme_id", "pilot", ["programme_id"], unique=False)
    op.create_table(
        "pilot_store",
        sa.Column("pilot_id", BIG, nullable=False),
        sa.Column("store_id", BIG, nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.CheckConstraint("arm IN ('pilot', 'control')", name=op.f("ck_pilot_store_arm")),
        sa.ForeignKeyConstraint(["pilot_id"], ["pilot.id"], name=op.f("fk_pilot_store_pilot_id")),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_pilot_store_store_id")),
        sa.PrimaryKeyConstraint("pilot_id", "store_id", name=op.f("pk_pilot_store")),
    )
