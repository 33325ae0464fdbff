"""Stamp cards, clubs and what is open to their members alone."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Six new tables."""
    op.create_table(
        "club",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("benefits", sa.String(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('live', 'ended')", name=op.f("ck_club_state")),
        sa.CheckConstraint("term_months BETWEEN 1 AND 120", name=op.f("ck_club_term_months")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_club_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_club")),
        sa.UniqueConstraint("programme_id", "slug", name=op.f("uq_club_programme_id_slug")),
        sa.UniqueConstraint("public_id", name=op.f("uq_club_public_id")),
    )
    op.create_table(
        "stamp_card",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("gives", sa.String(), nullable=False),
        sa.Column("per_minor", BIG, nullable=True),
        sa.Column("item_kind", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("reward", sa.String(), nullable=False),
        sa.Column("reward_kind", sa.String(), nullable=False),
        sa.Column("reward_value", BIG, nullable=True),
        sa.Column("stamps_live_days", sa.Integer(), nullable=True),
        sa.Column("vouchers_live_days", sa.Integer(), nullable=True),
        sa.Column("cool_down_min", sa.Integer(), nullable=False),
        sa.Column("stores", sa.JSON(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(gives = 'amount') = (per_minor IS NOT NULL)", name=op.f("ck_stamp_card_per_minor")),
        sa.CheckConstraint("(item_kind = 'any') = (item = '')", name=op.f("ck_stamp_card_item")),
        sa.CheckConstraint("gives IN ('visit', 'piece', 'amount')", name=op.f("ck_stamp_card_gives")),
        sa.CheckConstraint("item_kind IN ('any', 'product', 'category')", name=op.f("ck_stamp_card_item_kind")),
        sa.CheckConstraint(
            "reward_kind IN ('item', 'amount_off', 'percent_off', 'gift')", name=op.f("ck_stamp_card_reward_kind")
        ),
        sa.CheckConstraint("state IN ('scheduled', 'live', 'ended')", name=op.f("ck_stamp_card_state")),
        sa.CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name=op.f("ck_stamp_card_window")),
        sa.CheckConstraint("size BETWEEN 2 AND 50", name=op.f("ck_stamp_card_size")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_stamp_card_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stamp_card")),
        sa.UniqueConstraint("public_id", name=op.f("uq_stamp_card_public_id")),
    )
    op.create_index(op.f("ix_stamp_card_programme_id"), "stamp_card", ["programme_id"], unique=False)
    op.create_table(
        "club_membership",
        sa.Column("id", BIG, nullable=False),
        sa.Column("club_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("dropped_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("ends_at >= starts_at", name=op.f("ck_club_membership_window")),
        sa.ForeignKeyConstraint(["club_id"], ["club.id"], name=op.f("fk_club_membership_club_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_club_membership_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_club_membership")),
        sa.UniqueConstraint("club_id", "member_id", name=op.f("uq_club_membership_club_id_member_id")),
    )
    op.create_index(op.f("ix_club_membership_member_id"), "club_membership", ["member_id"], unique=False)
    op.create_index(
        "ix_club_membership_running",
        "club_membership",
        ["ends_at"],
        unique=False,
        sqlite_where=sa.text("dropped_at IS NULL"),
        postgresql_where=sa.text("dropped_at IS NULL"),
    )
    op.create_table(
        "gated_link",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("club_id", BIG, nullable=True),
        sa.Column("tier_id", BIG, nullable=True),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("target_url", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(club_id IS NULL) <> (tier_id IS NULL)", name=op.f("ck_gated_link_one_gate")),
        sa.ForeignKeyConstraint(["club_id"], ["club.id"], name=op.f("fk_gated_link_club_id")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_gated_link_programme_id")),
        sa.ForeignKeyConstraint(["tier_id"], ["tier.id"], name=op.f("fk_gated_link_tier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gated_link")),
        sa.UniqueConstraint("programme_id", "slug", name=op.f("uq_gated_link_programme_id_slug")),
        sa.UniqueConstraint("public_id", name=op.f("uq_gated_link_public_id")),
    )
    op.create_table(
        "club_term",
        sa.Column("id", BIG, nullable=False),
        sa.Column("membership_id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('joined', 'renewed', 'ended')", name=op.f("ck_club_term_kind")),
        sa.ForeignKeyConstraint(["membership_id"], ["club_membership.id"], name=op.f("fk_club_term_membership_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_club_term")),
    )
    op.create_index(op.f("ix_club_term_membership_id"), "club_term", ["membership_id"], unique=False)
    op.create_table(
        "stamped_receipt",
        sa.Column("id", BIG, nullable=False),
        sa.Column("stamp_card_id", BIG, nullable=False),
        sa.Column("store_id", BIG, nullable=False),
        sa.Column("receipt", sa.String(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entry.id"], name=op.f("fk_stamped_receipt_entry_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["stamp_card_id"], ["stamp_card.id"], name=op.f("fk_stamped_receipt_stamp_card_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stamped_receipt")),
    )
    op.create_index(op.f("ix_stamped_receipt_entry_id"), "stamped_receipt", ["entry_id"], unique=False)
    op.create_index(
        "uq_stamped_receipt",
        "stamped_receipt",
        ["stamp_card_id", "store_id", "receipt"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )
