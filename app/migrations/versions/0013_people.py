"""Days on which members bought, what that amounts to, wishes, stays in wallets, and segments."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "card_day",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("store_id", BIG, autoincrement=False, nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("spend_minor", BIG, nullable=False),
        sa.Column("earned", BIG, nullable=False),
        sa.Column("spent", BIG, nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "day", "card_id", "store_id", name=op.f("pk_card_day")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_card_day_card_id_day", "card_day", ["card_id", "day"], unique=False)
    op.create_table(
        "habit",
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("spend_minor", BIG, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.Column("visits_365", sa.Integer(), nullable=False),
        sa.Column("spend_365_minor", BIG, nullable=False),
        sa.Column("median_gap_days", sa.Integer(), nullable=True),
        sa.Column("store_id", BIG, nullable=True),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("recency", sa.Integer(), nullable=True),
        sa.Column("frequency", sa.Integer(), nullable=True),
        sa.Column("monetary", sa.Integer(), nullable=True),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_habit")),
    )
    op.create_index("ix_habit_programme_id_last_at", "habit", ["programme_id", "last_at"], unique=False)
    op.create_table(
        "habit_progress",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("day_done", sa.Date(), nullable=True),
        sa.Column("night_step", sa.String(), nullable=False),
        sa.Column("night_card_id", BIG, nullable=False),
        sa.Column("followed_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_habit_progress")),
    )
    op.create_table(
        "last_time",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("sort", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.CheckConstraint("sort IN ('product', 'category', 'event')", name=op.f("ck_last_time_sort")),
        sa.PrimaryKeyConstraint("programme_id", "sort", "name", "card_id", name=op.f("pk_last_time")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_last_time_card_id", "last_time", ["card_id"], unique=False)
    op.create_table(
        "installation",
        sa.Column("id", BIG, nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("wallet", sa.String(), nullable=False),
        sa.Column("installed_at", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("wallet IN ('apple', 'google')", name=op.f("ck_installation_wallet")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_index("ix_installation_programme_id_gone_at", "installation", ["programme_id", "gone_at"], unique=False)
    op.create_index(
        "ix_installation_programme_id_installed_at", "installation", ["programme_id", "installed_at"], unique=False
    )
    op.create_index(
        "uq_installation_open",
        "installation",
        ["card_id", "wallet"],
        unique=True,
        sqlite_where=sa.text("gone_at IS NULL"),
        postgresql_where=sa.text("gone_at IS NULL"),
    )
    op.create_table(
        "segment",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kept", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("kept_at", sa.BigInteger(), nullable=True),
        sa.Column("counted", BIG, nullable=True),
        sa.Column("counted_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('live', 'archived')", name=op.f("ck_segment_state")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_segment_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
        sa.UniqueConstraint("programme_id", "name", name=op.f("uq_segment_programme_id_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_segment_public_id")),
    )
    op.create_table(
        "segment_member",
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("segment_id", BIG, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("card_id", "segment_id", name=op.f("pk_segment_member")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_segment_member_segment_id_card_id", "segment_member", ["segment_id", "card_id"], unique=False)
    op.create_table(
        "preference",
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("quiet_from", sa.String(), nullable=True),
        sa.Column("quiet_to", sa.String(), nullable=True),
        sa.Column("per_week", sa.Integer(), nullable=True),
        sa.Column("unwanted_topics", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_preference_member_id")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_preference")),
    )
    op.add_column("member", sa.Column("birthday_index", sa.String(), nullable=True))
    op.add_column("member", sa.Column("birthday_set_at", sa.BigInteger(), nullable=True))
    op.add_column("member", sa.Column("home_store_id", BIG, nullable=True))
    op.add_column("member", sa.Column("timezone", sa.String(), nullable=True))
    op.add_column("member", sa.Column("birthday_changed_at", sa.BigInteger(), nullable=True))
    op.add_column("consent", sa.Column("actor", sa.String(), server_default="", nullable=False))
    op.add_column("consent", sa.Column("proof", sa.String(), server_default="", nullable=False))
    op.create_index("ix_member_programme_id_birthday_index", "member", ["programme_id", "birthday_index"], unique=False)
    op.add_column("store", sa.Column("region", sa.String(), server_default="", nullable=False))
    op.execute(
        "INSERT INTO installation (programme_id, card_id, wallet, installed_at) "
        "SELECT c.programme_id, c.id, 'apple', min(r.created_at) FROM registration r "
        "JOIN card c ON c.id = r.card_id GROUP BY c.programme_id, c.id"
    )
    op.execute(
        "INSERT INTO installation (programme_id, card_id, wallet, installed_at) "
        "SELECT c.programme_id, c.id, 'google', coalesce(g.saved_at, g.created_at) FROM google_object g "
        "JOIN card c ON c.id = g.card_id WHERE g.holders > 0 OR g.has_users"
    )
