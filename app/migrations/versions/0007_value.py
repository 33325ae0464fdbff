"""Gift cards, stored value and cards without a person."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All tables are new."""
    _settings_and_loads()
    _cards()


def _settings_and_loads() -> None:
    op.create_table(
        "value_settings",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("load_limit_minor", BIG, nullable=False),
        sa.Column("pin_above_minor", BIG, nullable=False),
        sa.Column("bearer_cap_minor", BIG, nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "load_limit_minor > 0 AND pin_above_minor >= 0 AND (bearer_cap_minor IS NULL OR bearer_cap_minor > 0)",
            name=op.f("ck_value_settings_numbers"),
        ),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_value_settings_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_value_settings")),
    )
    op.create_table(
        "value_load",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("undone", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_value_load_card_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_value_load_entry_id")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_value_load_programme_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_value_load")),
    )
    op.create_index(
        "uq_value_load_reference",
        "value_load",
        ["programme_id", "reference"],
        unique=True,
        sqlite_where=sa.text("NOT undone"),
        postgresql_where=sa.text("NOT undone"),
    )


def _cards() -> None:
    op.create_table(
        "card_batch",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('bearer', 'gift') AND size > 0", name=op.f("ck_card_batch_kind")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_card_batch_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_batch")),
        sa.UniqueConstraint("public_id", name=op.f("uq_card_batch_public_id")),
    )
    op.create_index(op.f("ix_card_batch_programme_id"), "card_batch", ["programme_id"])
    op.create_table(
        "value_card",
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("batch_id", BIG, nullable=True),
        sa.Column("pin_digest", sa.String(), nullable=True),
        sa.Column("wrong_pins", sa.Integer(), server_default="0", nullable=False),
        sa.Column("replaced_by_id", BIG, nullable=True),
        sa.Column("blocked_at", sa.BigInteger(), nullable=True),
        sa.Column("blocked_by", sa.String(), server_default="", nullable=False),
        sa.Column("block_reason", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["card_batch.id"], name=op.f("fk_value_card_batch_id")),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_value_card_card_id")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_value_card_programme_id")),
        sa.ForeignKeyConstraint(["replaced_by_id"], ["card.id"], name=op.f("fk_value_card_replaced_by_id")),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_value_card")),
    )
    for column in ("batch_id", "replaced_by_id"):
        op.create_index(op.f(f"ix_value_card_{column}"), "value_card", [column])
    op.create_index("ix_value_card_programme_id_card_id", "value_card", ["programme_id", "card_id"])
    op.create_table(
        "bearer_discount",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("minor", BIG, nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_bearer_discount_card_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_bearer_discount_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_bearer_discount")),
    )
    op.create_index("ix_bearer_discount_card_id_year", "bearer_discount", ["card_id", "year"])
