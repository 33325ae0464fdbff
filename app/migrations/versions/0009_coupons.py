"""Unique codes."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "coupon_batch",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("gives", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("points", BIG, nullable=False),
        sa.Column("stores", sa.JSON(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("next_no", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("downloaded_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("gives IN ('reward', 'points', 'offer')", name=op.f("ck_coupon_batch_gives")),
        sa.CheckConstraint("(gives = 'points') = (points > 0)", name=op.f("ck_coupon_batch_points")),
        sa.CheckConstraint(
            "size > 0 AND size <= 1000000 AND made >= 0 AND made <= size", name=op.f("ck_coupon_batch_size")
        ),
        sa.CheckConstraint("state IN ('making', 'ready', 'revoked')", name=op.f("ck_coupon_batch_state")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_coupon_batch_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_batch")),
        sa.UniqueConstraint("public_id", name=op.f("uq_coupon_batch_public_id")),
    )
    op.create_index(op.f("ix_coupon_batch_programme_id"), "coupon_batch", ["programme_id"], unique=False)
    op.create_index(op.f("ix_coupon_batch_state"), "coupon_batch", ["state"], unique=False)
    op.create_table(
        "coupon",
        sa.Column("id", BIG, nullable=False),
        sa.Column("batch_id", BIG, nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("card_id", BIG, nullable=True),
        sa.Column("store_id", BIG, nullable=True),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.CheckConstraint("(used_at IS NULL) = (card_id IS NULL)", name=op.f("ck_coupon_used")),
        sa.ForeignKeyConstraint(["batch_id"], ["coupon_batch.id"], name=op.f("fk_coupon_batch_id")),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_coupon_card_id")),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_coupon_store_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_coupon_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon")),
        sa.UniqueConstraint("digest", name=op.f("uq_coupon_digest")),
        sa.UniqueConstraint("batch_id", "no", name=op.f("uq_coupon_batch_id_no")),
    )
    op.create_index(op.f("ix_coupon_card_id"), "coupon", ["card_id"], unique=False)
    op.create_index("uq_coupon_entry_id", "coupon", ["entry_id"], unique=True)
