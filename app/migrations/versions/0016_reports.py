"""What reports are read from, the moves between tiers, and what points are taken to be worth."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOVE = """
    INSERT INTO tier_move (programme_id, card_id, from_id, to_id, at)
    VALUES (NEW.programme_id, NEW.id, OLD.tier_id, NEW.tier_id, NEW.modified_at);
"""


def upgrade() -> None:
    op.create_table(
        "report_buyers",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("store_id", BIG, autoincrement=False, nullable=False),
        sa.Column("buyers", BIG, nullable=False),
        sa.Column("repeaters", BIG, nullable=False),
        sa.Column("sales", BIG, nullable=False),
        sa.Column("spend_minor", BIG, nullable=False),
        sa.Column("active", BIG, nullable=False),
        sa.Column("installed", BIG, nullable=False),
        sa.Column("active_installed", BIG, nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "month", "store_id", name=op.f("pk_report_buyers")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_cohort",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("issued", BIG, nullable=False),
        sa.Column("redeemed", BIG, nullable=False),
        sa.Column("held", BIG, nullable=False),
        sa.Column("expired", BIG, nullable=False),
        sa.Column("returned", BIG, nullable=False),
        sa.Column("other", BIG, nullable=False),
        sa.Column("open", BIG, nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("programme_id", "month", "unit", name=op.f("pk_report_cohort")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_count",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("store_id", BIG, autoincrement=False, nullable=False),
        sa.Column("count", BIG, nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "day", "name", "key", "store_id", name=op.f("pk_report_count")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_day",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("due", sa.Boolean(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("built_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("programme_id", "day", name=op.f("pk_report_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_desk",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("store_id", BIG, autoincrement=False, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("units", BIG, nullable=False),
        sa.Column("entries", BIG, nullable=False),
        sa.Column("sales", BIG, nullable=False),
        sa.Column("sale_minor", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "programme_id", "day", "store_id", "actor", "kind", "unit", name=op.f("pk_report_desk")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_flow",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("store_id", BIG, autoincrement=False, nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("units", BIG, nullable=False),
        sa.Column("entries", BIG, nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "day", "store_id", "unit", "kind", "role", name=op.f("pk_report_flow")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_month",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("due", sa.Boolean(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("built_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("programme_id", "month", name=op.f("pk_report_month")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_offer",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("store_id", BIG, autoincrement=False, nullable=False),
        sa.Column("offer_id", BIG, autoincrement=False, nullable=False),
        sa.Column("uses", BIG, nullable=False),
        sa.Column("undone", BIG, nullable=False),
        sa.Column("cost_minor", BIG, nullable=False),
        sa.Column("undone_minor", BIG, nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "day", "store_id", "offer_id", name=op.f("pk_report_offer")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_progress",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("swept_on", sa.Date(), nullable=True),
        sa.Column("built_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_report_progress")),
    )
    op.create_table(
        "report_return",
        sa.Column("programme_id", BIG, autoincrement=False, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("gap_days", sa.Integer(), nullable=False),
        sa.Column("cards", BIG, nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "first_day", "gap_days", name=op.f("pk_report_return")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_run",
        sa.Column("run_id", BIG, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("offer_id", BIG, nullable=False),
        sa.Column("cards", BIG, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "state", "arm", "reason", name=op.f("pk_report_run")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_report_run_programme_id"), "report_run", ["programme_id"], unique=False)
    op.create_table(
        "tier_move",
        sa.Column("id", BIG, nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("from_id", BIG, nullable=True),
        sa.Column("to_id", BIG, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_move")),
    )
    op.create_index("ix_tier_move_programme_id_at", "tier_move", ["programme_id", "at"], unique=False)
    op.create_table(
        "valuation",
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("point_value", sa.String(), nullable=False),
        sa.Column("expected_use", sa.String(), nullable=False),
        sa.Column("margin", sa.String(), nullable=False),
        sa.Column("member_years", sa.String(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_valuation_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_valuation")),
    )
    op.drop_index("ix_card_day_card_id_day", table_name="card_day")
    op.create_index("ix_card_day_card_id_day", "card_day", ["card_id", "day", "visits", "spend_minor"], unique=False)
    op.create_index("ix_card_programme_id_created_at", "card", ["programme_id", "created_at"], unique=False)
    op.create_index("ix_entry_occurred_at", "entry", ["occurred_at"], unique=False)
    _note_moves()


def _note_moves() -> None:
    """Whoever moves a card to another tier leaves a row of it: tills, nightly runs and people do."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER card_tier_moved AFTER UPDATE OF tier_id ON card "
            f"WHEN NEW.status = 'active' AND OLD.tier_id IS NOT NEW.tier_id BEGIN {MOVE} END"
        )
        return
    op.execute(
        f"CREATE FUNCTION note_tier_move() RETURNS trigger AS $$ BEGIN {MOVE} RETURN NULL; END $$ LANGUAGE plpgsql"
    )
    op.execute(
        "CREATE TRIGGER card_tier_moved AFTER UPDATE OF tier_id ON card FOR EACH ROW "
        "WHEN (NEW.status = 'active' AND OLD.tier_id IS DISTINCT FROM NEW.tier_id) EXECUTE FUNCTION note_tier_move()"
    )
