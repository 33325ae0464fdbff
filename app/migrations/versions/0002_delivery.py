"""Delivery at full strength: traces, webhooks, alarms, and what operators see of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("severity IN ('warn', 'bad')", name=op.f("ck_alarm_severity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index(op.f("ix_alarm_raised_at"), "alarm", ["raised_at"], unique=False)
    op.create_index(
        "uq_alarm_open",
        "alarm",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "backup_note",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('made', 'verified')", name=op.f("ck_backup_note_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_note")),
    )
    op.create_index("ix_backup_note_kind_at", "backup_note", ["kind", "at"], unique=False)
    op.create_table(
        "kill_switch",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_kill_switch")),
    )
    op.create_table(
        "lane_state",
        sa.Column("lane", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("heard_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("degraded_since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_lane_state")),
    )
    op.create_table(
        "phone_limit",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_phone_limit")),
    )
    op.create_index(op.f("ix_phone_limit_since"), "phone_limit", ["since"], unique=False)
    op.create_table(
        "refused_certificate",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("pass_type_identifier", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_refused_certificate")),
    )
    op.create_table(
        "silence",
        sa.Column(
            "target_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fetched", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pushes", sa.Integer(), nullable=False),
        sa.Column("pushed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("target_id", name=op.f("pk_silence")),
    )
    op.create_index(op.f("ix_silence_since"), "silence", ["since"], unique=False)
    op.create_table(
        "sync_census",
        sa.Column("programme_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("current", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("told", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("quiet", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("behind", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("parked", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("gone", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("causes", sa.JSON(), nullable=False),
        sa.Column("refusals", sa.JSON(), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "channel", name=op.f("pk_sync_census")),
    )
    op.create_table(
        "sync_snapshot",
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tallies", sa.JSON(), nullable=False),
        sa.Column("behind", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_sync_snapshot")),
    )
    op.create_table(
        "turn",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cursor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("note", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_turn")),
    )
    op.create_table(
        "webhook_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("programme_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_event")),
        sa.UniqueConstraint("public_id", name=op.f("uq_webhook_event_public_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_event_created_at", "webhook_event", ["created_at"], unique=False)
    op.create_table(
        "recent_results",
        sa.Column("sender_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("stretch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("results", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("failed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["sender_id"], ["sender.id"], name=op.f("fk_recent_results_sender_id")),
        sa.PrimaryKeyConstraint("sender_id", "place", name=op.f("pk_recent_results")),
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("not_before", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=False),
        sa.Column("last_reason", sa.String(), nullable=False),
        sa.Column("last_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivered", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("failed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("parked", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('enabled', 'disabled', 'deleted')", name=op.f("ck_webhook_endpoint_state")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_webhook_endpoint_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sa.UniqueConstraint("public_id", name=op.f("uq_webhook_endpoint_public_id")),
    )
    op.create_index(op.f("ix_webhook_endpoint_programme_id"), "webhook_endpoint", ["programme_id"], unique=False)
    op.create_table(
        "issue",
        sa.Column("card_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("signed_with", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_issue_card_id")),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_issue")),
    )
    op.create_index(
        "ix_card_programme_id_tier_id_status_id", "card", ["programme_id", "tier_id", "status", "id"], unique=False
    )
    op.add_column("entry", sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.add_column(
        "expansion", sa.Column("audience", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    op.add_column(
        "expansion",
        sa.Column("passed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"),
    )
    op.add_column(
        "expansion", sa.Column("last_card_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    op.add_column(
        "expansion", sa.Column("all_up_to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    op.add_column("expansion", sa.Column("changed_since", sa.BigInteger(), nullable=True))
    op.add_column("expansion", sa.Column("started_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "expansion",
        sa.Column(
            "stepped_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
    )
    op.add_column("expansion", sa.Column("stopped_by", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_expansion_offer_id", "expansion", ["offer_id"], unique=False)
    op.create_index("ix_expansion_programme_id", "expansion", ["programme_id"], unique=False)
    op.create_index("ix_google_alert_at", "google_alert", ["at"], unique=False)
    op.add_column("google_object", sa.Column("looked_at", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_google_object_looked_at"), "google_object", ["looked_at"], unique=False)
    op.add_column(
        "message", sa.Column("endpoint_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    op.add_column("message", sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
    op.add_column("message", sa.Column("last_status", sa.Integer(), nullable=False, server_default="0"))
    op.add_column(
        "message",
        sa.Column("last_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"),
    )
    op.add_column("message", sa.Column("took_ms", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_message_created_at", "message", ["created_at"], unique=False)
    op.create_index(
        "ix_message_due",
        "message",
        ["endpoint_id", "not_before"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting' AND endpoint_id IS NOT NULL"),
        postgresql_where=sa.text("state = 'waiting' AND endpoint_id IS NOT NULL"),
    )
    op.create_index(
        "ix_message_due_without_endpoint",
        "message",
        ["kind", "not_before"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting' AND endpoint_id IS NULL"),
        postgresql_where=sa.text("state = 'waiting' AND endpoint_id IS NULL"),
    )
    op.create_index("ix_message_endpoint_id_event_id", "message", ["endpoint_id", "event_id"], unique=False)
    op.add_column("node", sa.Column("host", sa.String(), nullable=False, server_default=""))
    op.add_column("node", sa.Column("machine", sa.String(), nullable=False, server_default=""))
    op.add_column("node", sa.Column("build", sa.String(), nullable=False, server_default=""))
    op.add_column("node", sa.Column("worked_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "node",
        sa.Column(
            "clock_apart_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
    )
    op.add_column(
        "node",
        sa.Column(
            "clock_jump_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
    )
    op.add_column("node", sa.Column("clock_jumped_at", sa.BigInteger(), nullable=True))
    op.add_column("occurrence", sa.Column("local_key", sa.String(), nullable=False, server_default=""))
    op.add_column(
        "programme",
        sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"),
    )
    op.add_column("registration", sa.Column("signed_with", sa.String(), nullable=False, server_default=""))
    op.add_column("send_log", sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.add_column("sender", sa.Column("slowed_to", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("target", sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.add_column(
        "target",
        sa.Column(
            "fetched_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
    )
    op.add_column(
        "target",
        sa.Column(
            "bulk_free", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
    )
    op.add_column(
        "target",
        sa.Column(
            "asked_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
    )
    op.create_index(
        "ix_target_retried",
        "target",
        ["sender_id", "last_at"],
        unique=False,
        sqlite_where=sa.text("want > done AND state = 'live' AND attempts > 2"),
        postgresql_where=sa.text("want > done AND state = 'live' AND attempts > 2"),
    )
    op.create_index(
        "ix_target_gone",
        "target",
        ["last_at"],
        unique=False,
        sqlite_where=sa.text("state = 'gone'"),
        postgresql_where=sa.text("state = 'gone'"),
    )
    op.create_index(
        "ix_target_parked",
        "target",
        ["last_at"],
        unique=False,
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # a campaign rewrites every row of a page at once: with room for each beside it, no index is touched. A chunk of
        # 1,000 cards wrote 0.3 MB of WAL in 4 ms, where full pages had cost 15 MB and 380 ms
        op.execute("ALTER TABLE card SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)")
