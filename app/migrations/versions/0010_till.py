"""Tills: sales that were booked without a connection, and what a store allows then."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Two tables, both empty."""
    op.create_table(
        "till_offline",
        sa.Column("store_id", BIG, nullable=False),
        sa.Column("stamps", sa.Boolean(), nullable=False),
        sa.Column("points_per_day", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("points_per_day >= 0", name=op.f("ck_till_offline_points_per_day")),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_till_offline_store_id")),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_till_offline")),
    )
    op.create_table(
        "till_sale",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("store_id", BIG, nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("amount_minor", BIG, nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("points", BIG, nullable=True),
        sa.Column("stamp_card", sa.String(), nullable=True),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("terminal", sa.String(), nullable=False),
        sa.Column("cashier", sa.String(), nullable=False),
        sa.Column("sent_by", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("lost", BIG, nullable=False),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('earn', 'stamp', 'redeem')", name=op.f("ck_till_sale_kind")),
        sa.CheckConstraint(
            "status IN ('applied', 'duplicate', 'refused', 'dismissed')", name=op.f("ck_till_sale_status")
        ),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_till_sale_programme_id")),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_till_sale_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_till_sale")),
        sa.UniqueConstraint("client_id", name=op.f("uq_till_sale_client_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_till_sale_public_id")),
    )
    op.create_index(
        "ix_till_sale_open",
        "till_sale",
        ["programme_id", "store_id"],
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_index("ix_till_sale_programme_id_number", "till_sale", ["programme_id", "number"])
