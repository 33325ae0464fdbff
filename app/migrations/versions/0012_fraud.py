"""Limits, what was noticed, corrections that wait for a second person, and cards that became one."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "fraud_tally",
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("earns", sa.Integer(), nullable=False),
        sa.Column("points", BIG, nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_fraud_tally_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", "subject", "hour", name=op.f("pk_fraud_tally")),
    )
    op.create_table(
        "fraud_notice",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("once", sa.String(), nullable=False),
        sa.Column("card_id", BIG, nullable=True),
        sa.Column("store_id", BIG, nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("dismissed_at", sa.BigInteger(), nullable=True),
        sa.Column("dismissed_by", sa.String(), server_default="", nullable=False),
        sa.Column("dismissed_because", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_fraud_notice_card_id")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_fraud_notice_programme_id")),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_fraud_notice_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fraud_notice")),
        sa.UniqueConstraint("programme_id", "once", name=op.f("uq_fraud_notice_programme_id_once")),
        sa.UniqueConstraint("public_id", name=op.f("uq_fraud_notice_public_id")),
    )
    op.create_index(
        "ix_fraud_notice_open",
        "fraud_notice",
        ["programme_id", "at"],
        unique=False,
        sqlite_where=sa.text("dismissed_at IS NULL"),
        postgresql_where=sa.text("dismissed_at IS NULL"),
    )
    op.create_table(
        "staff_card",
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("staff", sa.String(), nullable=False),
        sa.Column("linked_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_staff_card_card_id")),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_staff_card")),
    )
    op.create_index(op.f("ix_staff_card_staff"), "staff_card", ["staff"], unique=False)
    op.create_table(
        "adjustment",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("units", BIG, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(), server_default="", nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.CheckConstraint("(state = 'done') = (entry_id IS NOT NULL)", name=op.f("ck_adjustment_entry")),
        sa.CheckConstraint("state IN ('waiting', 'done', 'refused', 'expired')", name=op.f("ck_adjustment_state")),
        sa.CheckConstraint("units <> 0", name=op.f("ck_adjustment_units")),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_adjustment_card_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_adjustment_entry_id")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_adjustment_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustment")),
        sa.UniqueConstraint("public_id", name=op.f("uq_adjustment_public_id")),
    )
    op.create_index(op.f("ix_adjustment_card_id"), "adjustment", ["card_id"], unique=False)
    op.create_index(
        "ix_adjustment_waiting",
        "adjustment",
        ["programme_id", "asked_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "card_merge",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("source_id", BIG, nullable=False),
        sa.Column("target_id", BIG, nullable=False),
        sa.Column("source_seq", BIG, nullable=False),
        sa.Column("legs", sa.JSON(), nullable=False),
        sa.Column("months", sa.JSON(), nullable=False),
        sa.Column("spent_minor", BIG, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("undone_by", sa.String(), server_default="", nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("source_id <> target_id", name=op.f("ck_card_merge_two_cards")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_card_merge_programme_id")),
        sa.ForeignKeyConstraint(["source_id"], ["card.id"], name=op.f("fk_card_merge_source_id")),
        sa.ForeignKeyConstraint(["target_id"], ["card.id"], name=op.f("fk_card_merge_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_merge")),
        sa.UniqueConstraint("public_id", name=op.f("uq_card_merge_public_id")),
    )
    op.create_index(op.f("ix_card_merge_target_id"), "card_merge", ["target_id"], unique=False)
    op.create_index(
        "uq_card_merge_source",
        "card_merge",
        ["source_id"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.add_column("programme", sa.Column("limits", sa.JSON(), server_default="{}", nullable=False))
