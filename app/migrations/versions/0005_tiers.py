"""Where members stand among the tiers."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from app.clock import system_clock
from app.earning.expiring import end_of_month

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MONTHS = 12


def upgrade() -> None:
    """Tables, and every card carried over with what it has."""
    _tables()
    now = system_clock()
    for programme in op.get_bind().execute(sa.text("SELECT id, timezone FROM programme")).all():
        _carry_over(programme.id, _local_day(now, programme.timezone))


def _local_day(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone) if zone else UTC).date()


def _carry_over(programme_id: int, today: date) -> None:
    """Until now spend was counted for ever, without its months. All of it goes into the month of the migration: to give
    each sale its own month would take tiers and progress from members overnight, whom nobody had told of a window."""
    metric = sa.table("metric_month", *map(sa.column, ("card_id", "month", "spend_minor", "earned", "visits")))
    standing = sa.table("card_standing", *map(sa.column, ("card_id", "programme_id", "tier_id", "valid_to", "due_on")))
    card = sa.table("card", *map(sa.column, ("id", "programme_id", "tier_id", "qualifying_minor")))
    tier = sa.table("tier", *map(sa.column, ("id", "threshold_minor")))
    month, valid_to = today.replace(day=1), end_of_month(today, MONTHS)
    falls_out_on = date(month.year + 1, month.month, 1)
    zero = sa.literal(0)
    counted = sa.select(card.c.id, _day(month), card.c.qualifying_minor, zero, zero).where(
        card.c.programme_id == programme_id, card.c.qualifying_minor > 0
    )
    op.execute(metric.insert().from_select(["card_id", "month", "spend_minor", "earned", "visits"], counted))
    ends = sa.case((tier.c.threshold_minor > 0, _day(valid_to)), else_=_day(None))
    stands = (
        sa.select(card.c.id, card.c.programme_id, card.c.tier_id, ends, _day(falls_out_on))
        .select_from(card.outerjoin(tier, tier.c.id == card.c.tier_id))
        .where(card.c.programme_id == programme_id)
        .where((card.c.qualifying_minor > 0) | (tier.c.threshold_minor > 0))
    )
    op.execute(standing.insert().from_select(["card_id", "programme_id", "tier_id", "valid_to", "due_on"], stands))


def _day(day: date | None) -> sa.ColumnElement[date]:
    return sa.cast(sa.null(), sa.Date()) if day is None else sa.literal(day, sa.Date())


def _tables() -> None:
    op.create_table(
        "tier_policy",
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("window_kind", sa.String(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("validity_months", sa.Integer(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("drop_kind", sa.String(), nullable=False),
        sa.Column("strict", sa.Boolean(), nullable=False),
        sa.Column("recalculated_to", BIG, nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("drop_kind IN ('one_step', 'to_metric', 'none')", name=op.f("ck_tier_policy_drop_kind")),
        sa.CheckConstraint("metric IN ('spend', 'earned', 'visits')", name=op.f("ck_tier_policy_metric")),
        sa.CheckConstraint(
            "window_kind IN ('rolling', 'calendar', 'lifetime')", name=op.f("ck_tier_policy_window_kind")
        ),
        sa.CheckConstraint(
            "months > 0 AND validity_months > 0 AND grace_days >= 0", name=op.f("ck_tier_policy_numbers")
        ),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_tier_policy_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_tier_policy")),
    )
    op.create_table(
        "metric_month",
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("spend_minor", BIG, nullable=False),
        sa.Column("earned", BIG, nullable=False),
        sa.Column("visits", BIG, nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_metric_month_card_id")),
        sa.PrimaryKeyConstraint("card_id", "month", name=op.f("pk_metric_month")),
    )
    op.create_table(
        "card_standing",
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("tier_id", BIG, nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("grace_to", sa.Date(), nullable=True),
        sa.Column("granted_tier_id", BIG, nullable=True),
        sa.Column("granted_to", sa.Date(), nullable=True),
        sa.Column("granted_reason", sa.String(), server_default="", nullable=False),
        sa.Column("granted_by", sa.String(), server_default="", nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.CheckConstraint("(granted_tier_id IS NULL) = (granted_to IS NULL)", name=op.f("ck_card_standing_granted")),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_card_standing_card_id")),
        sa.ForeignKeyConstraint(["granted_tier_id"], ["tier.id"], name=op.f("fk_card_standing_granted_tier_id")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_card_standing_programme_id")),
        sa.ForeignKeyConstraint(["tier_id"], ["tier.id"], name=op.f("fk_card_standing_tier_id")),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_card_standing")),
    )
    due = sa.text("due_on IS NOT NULL")
    op.create_index(
        "ix_card_standing_due",
        "card_standing",
        ["programme_id", "due_on"],
        unique=False,
        sqlite_where=due,
        postgresql_where=due,
    )
