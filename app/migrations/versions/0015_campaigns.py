"""Campaigns, their runs and recipients, and the message that a card shows."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "marketing_policy",
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("quiet_from", sa.String(), nullable=False),
        sa.Column("quiet_to", sa.String(), nullable=False),
        sa.Column("cap_day", sa.Integer(), nullable=False),
        sa.Column("cap_week", sa.Integer(), nullable=False),
        sa.Column("global_holdout_bp", sa.Integer(), nullable=False),
        sa.Column("approve_above", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_marketing_policy_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_marketing_policy")),
    )
    op.create_table(
        "campaign",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("segment_id", BIG, nullable=True),
        sa.Column("tier_id", BIG, nullable=True),
        sa.Column("stores", sa.JSON(), nullable=False),
        sa.Column("offer_id", BIG, nullable=True),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("send_local", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("timezone_mode", sa.String(), nullable=False),
        sa.Column("recurrence", sa.JSON(), nullable=False),
        sa.Column("trigger", sa.JSON(), nullable=False),
        sa.Column("quiet_from", sa.String(), nullable=True),
        sa.Column("quiet_to", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("holdout_bp", sa.Integer(), nullable=True),
        sa.Column("goal", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=False),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("approved_count", BIG, nullable=True),
        sa.Column("launched_by", sa.String(), nullable=False),
        sa.Column("launched_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("stopped_by", sa.String(), nullable=False),
        sa.Column("stopped_because", sa.String(), nullable=False),
        sa.Column("resumed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('once', 'recurring', 'triggered')", name=op.f("ck_campaign_kind")),
        sa.CheckConstraint("purpose IN ('marketing', 'information')", name=op.f("ck_campaign_purpose")),
        sa.CheckConstraint(
            "state IN ('draft', 'approved', 'queued', 'sending', 'paused', 'sent', 'stopped')",
            name=op.f("ck_campaign_state"),
        ),
        sa.CheckConstraint("timezone_mode IN ('member', 'store', 'fixed')", name=op.f("ck_campaign_timezone_mode")),
        sa.CheckConstraint("holdout_bp IS NULL OR holdout_bp BETWEEN 0 AND 5000", name=op.f("ck_campaign_holdout")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_campaign_offer_id")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_campaign_programme_id")),
        sa.ForeignKeyConstraint(["segment_id"], ["segment.id"], name=op.f("fk_campaign_segment_id")),
        sa.ForeignKeyConstraint(["tier_id"], ["tier.id"], name=op.f("fk_campaign_tier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("public_id", name=op.f("uq_campaign_public_id")),
    )
    op.create_index(op.f("ix_campaign_offer_id"), "campaign", ["offer_id"], unique=False)
    op.create_index("ix_campaign_programme_id_state", "campaign", ["programme_id", "state"], unique=False)
    op.create_index(op.f("ix_campaign_segment_id"), "campaign", ["segment_id"], unique=False)
    op.create_table(
        "campaign_text",
        sa.Column("id", BIG, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_text_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_text")),
        sa.UniqueConstraint("campaign_id", "revision", name=op.f("uq_campaign_text_campaign_id_revision")),
    )
    op.create_table(
        "campaign_run",
        sa.Column("id", BIG, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("occurrence", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("fire_at", sa.BigInteger(), nullable=False),
        sa.Column("cursor_card_id", BIG, nullable=False),
        sa.Column("planned", BIG, nullable=False),
        sa.Column("text_id", BIG, nullable=True),
        sa.Column("holdout_bp", sa.Integer(), nullable=False),
        sa.Column("global_bp", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("planned_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'planning', 'sending', 'done', 'stopped', 'superseded', 'missed')",
            name=op.f("ck_campaign_run_state"),
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_run_campaign_id")),
        sa.ForeignKeyConstraint(["text_id"], ["campaign_text.id"], name=op.f("fk_campaign_run_text_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_run")),
        sa.UniqueConstraint("campaign_id", "occurrence", name=op.f("uq_campaign_run_campaign_id_occurrence")),
    )
    op.create_index(
        "ix_campaign_run_due",
        "campaign_run",
        ["state", "fire_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'planning', 'sending')"),
        postgresql_where=sa.text("state IN ('waiting', 'planning', 'sending')"),
    )
    op.create_table(
        "recipient",
        sa.Column("run_id", BIG, autoincrement=False, nullable=False),
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("version", BIG, nullable=True),
        sa.CheckConstraint("(state = 'suppressed') = (reason <> '')", name=op.f("ck_recipient_reason")),
        sa.CheckConstraint("state IN ('planned', 'sent', 'suppressed')", name=op.f("ck_recipient_state")),
        sa.PrimaryKeyConstraint("run_id", "card_id", name=op.f("pk_recipient")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_recipient_due",
        "recipient",
        ["run_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_recipient_waiting",
        "recipient",
        ["card_id"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_recipient_sent",
        "recipient",
        ["card_id", "at"],
        unique=False,
        sqlite_where=sa.text("state = 'sent'"),
        postgresql_where=sa.text("state = 'sent'"),
    )
    op.create_table(
        "campaign_occasion",
        sa.Column("campaign_id", BIG, autoincrement=False, nullable=False),
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "card_id", "occasion", name=op.f("pk_campaign_occasion")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "card_message",
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("text_id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=True),
        sa.Column("numbers", sa.JSON(), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("alert", sa.Boolean(), nullable=False),
        sa.Column("alerted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["text_id"], ["campaign_text.id"], name=op.f("fk_card_message_text_id")),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_card_message")),
    )
    op.create_index("ix_card_message_ends_at_card_id", "card_message", ["ends_at", "card_id"], unique=False)
    op.create_index(op.f("ix_card_message_text_id"), "card_message", ["text_id"], unique=False)
