"""What members do, as counted from the ledger: days on which they bought, and what that amounts to."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class CardDay(Base):
    """What one card did at one store (0: none) on one day of the programme's calendar, net of returns.

    A return counts on the day of its sale. `visits`: sales of which anything is left. `spend_minor`: what was paid for
    them. `earned` (what the programme issued, events too) and `spent` (what was redeemed) are points. What was booked
    on a card that was joined to another one counts for that one. Rows say what the ledger sums to and are computed
    anew, never added to.
    """

    __tablename__ = "card_day"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    store_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False, default=0)
    visits: Mapped[int] = mapped_column(default=0)
    spend_minor: Mapped[int] = mapped_column(BigId, default=0)
    earned: Mapped[int] = mapped_column(BigId, default=0)
    spent: Mapped[int] = mapped_column(BigId, default=0)

    __table_args__ = (
        # a year's buyers are counted from this index alone
        Index("ix_card_day_card_id_day", "card_id", "day", "visits", "spend_minor"),
        {"sqlite_with_rowid": False},
    )


class Habit(Base):
    """How a card is used: the sum of its days, its rhythm, and what and where it buys most.

    `visits` and `spend_minor` since it was made; those with `_365` of the last 365 days. `median_gap_days`: between
    one day of purchase and the next, from three of them on. `store_id`: the store most used in 90 days; `product` and
    `category`: bought most often in 365. `recency`, `frequency`, `monetary`: quintiles, 5 is best, None without a
    purchase in 365 days. `counted_on`: the day of the programme as of which the windows were counted; a card keeps
    it while nothing enters or leaves them. Loyalty cards alone have habits: gift and bearer cards are nobody's.
    """

    __tablename__ = "habit"

    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    programme_id: Mapped[int] = mapped_column(BigId)
    visits: Mapped[int] = mapped_column(default=0)
    spend_minor: Mapped[int] = mapped_column(BigId, default=0)
    first_at: Mapped[datetime | None] = mapped_column(Instant)
    last_at: Mapped[datetime | None] = mapped_column(Instant)
    visits_365: Mapped[int] = mapped_column(default=0)
    spend_365_minor: Mapped[int] = mapped_column(BigId, default=0)
    median_gap_days: Mapped[int | None]
    store_id: Mapped[int | None] = mapped_column(BigId)
    product: Mapped[str] = mapped_column(default="")
    category: Mapped[str] = mapped_column(default="")
    recency: Mapped[int | None]
    frequency: Mapped[int | None]
    monetary: Mapped[int | None]
    counted_on: Mapped[date]

    __table_args__ = (Index("ix_habit_programme_id_last_at", "programme_id", "last_at"),)


class LastTime(Base):
    """The last day on which a card bought a product or something of a category, or had the points of an event.

    `sort`: product, category or event. What was returned whole since was not bought.
    """

    __tablename__ = "last_time"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    sort: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    last_on: Mapped[date]

    __table_args__ = (
        CheckConstraint("sort IN ('product', 'category', 'event')", name="sort"),
        Index("ix_last_time_card_id", "card_id"),
        {"sqlite_with_rowid": False},
    )


class HabitProgress(Base):
    """How far the counting of a programme has come: entries up to `entry_id` are in; `day_done`: the last nightly run.

    `night_step` (windows, scores) and `night_card_id`: what a nightly run is at, and the card that it has come to; it
    began at `changed_at`, which for the whole ledger says when `entry_id` was last moved.
    `followed_at`: joined and parted cards up to then are in.
    """

    __tablename__ = "habit_progress"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    entry_id: Mapped[str] = mapped_column(default="")
    day_done: Mapped[date | None]
    night_step: Mapped[str] = mapped_column(default="")
    night_card_id: Mapped[int] = mapped_column(BigId, default=0)
    followed_at: Mapped[datetime | None] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
