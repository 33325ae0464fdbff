"""What reports are read from: sums by day of what the ledger and the wallets say, built anew and never added to.

Days are the programme's. `store_id` 0: no store. Every table here can be emptied and built again, but for `tier_move`
and `valuation`.
"""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class ReportProgress(Base):
    """How far the building for a programme has come.

    What was written after `seen_at` is not looked for yet. `swept_on`: the day on which what is counted over all
    cards was counted last.
    """

    __tablename__ = "report_progress"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    seen_at: Mapped[datetime | None] = mapped_column(Instant)
    swept_on: Mapped[date | None]
    built_at: Mapped[datetime | None] = mapped_column(Instant)


class ReportDay(Base):
    """A day of the calendar: whether it is `due` to be built anew. `turn` rises whenever it becomes due, so that who
    read it before that does not write what he read.
    """

    __tablename__ = "report_day"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    due: Mapped[bool] = mapped_column(default=True)
    turn: Mapped[int] = mapped_column(default=1)
    built_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportMonth(Base):
    """As `ReportDay`, for what counts people over a month; `month` is its first day."""

    __tablename__ = "report_month"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    month: Mapped[date] = mapped_column(primary_key=True)
    due: Mapped[bool] = mapped_column(default=True)
    turn: Mapped[int] = mapped_column(default=1)
    built_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportFlow(Base):
    """The postings of a day, summed: `units` on all accounts of a `role`, by entries of a `kind`."""

    __tablename__ = "report_flow"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    unit: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    units: Mapped[int] = mapped_column(BigId)
    entries: Mapped[int] = mapped_column(BigId)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportDesk(Base):
    """The entries of a day, by who made them. `units`: what members gained or lost. `sales` and `sale_minor`:
    purchases among them and what was paid; of returns the amount alone, below zero.
    """

    __tablename__ = "report_desk"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    actor: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    unit: Mapped[str] = mapped_column(primary_key=True)
    units: Mapped[int] = mapped_column(BigId)
    entries: Mapped[int] = mapped_column(BigId)
    sales: Mapped[int] = mapped_column(BigId)
    sale_minor: Mapped[int] = mapped_column(BigId)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportOffer(Base):
    """Uses of an offer on a day, and uses that were undone on that day, whenever they were made."""

    __tablename__ = "report_offer"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    offer_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    uses: Mapped[int] = mapped_column(BigId)
    undone: Mapped[int] = mapped_column(BigId)
    cost_minor: Mapped[int] = mapped_column(BigId)
    undone_minor: Mapped[int] = mapped_column(BigId)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportCount(Base):
    """What else is counted of a day, by the members' home store.

    `name`: enrolled (`key`: how they joined), installed and gone (the wallet), moved (the tier before, ">", the tier
    after; row ids, empty for none).
    """

    __tablename__ = "report_count"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(BigId)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportBuyers(Base):
    """People of a month at one store, or, at store -1, anywhere.

    `buyers` bought at least once, `repeaters` at least twice, `sales` times in all. At the end of the month (or of
    today), `active` had bought within 90 days, `installed` had the loyalty card in a wallet,
    `active_installed` had both.
    """

    __tablename__ = "report_buyers"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    month: Mapped[date] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    buyers: Mapped[int] = mapped_column(BigId)
    repeaters: Mapped[int] = mapped_column(BigId)
    sales: Mapped[int] = mapped_column(BigId)
    spend_minor: Mapped[int] = mapped_column(BigId)
    active: Mapped[int] = mapped_column(BigId)
    installed: Mapped[int] = mapped_column(BigId)
    active_installed: Mapped[int] = mapped_column(BigId)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportRun(Base):
    """The people of a campaign's run, by what became of them."""

    __tablename__ = "report_run"

    run_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    programme_id: Mapped[int] = mapped_column(BigId, index=True)
    day: Mapped[date]
    campaign_id: Mapped[int] = mapped_column(BigId)
    offer_id: Mapped[int] = mapped_column(BigId)
    cards: Mapped[int] = mapped_column(BigId)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportCohort(Base):
    """What became of the units that were credited in a month: of `issued`, the rest is in one of the other columns.

    `returned`: taken back with what earned them. `other`: corrected, owed, or moved to another card. `ends_on`: the
    day on which the last of them expires or expired; None: some never do.
    """

    __tablename__ = "report_cohort"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    month: Mapped[date] = mapped_column(primary_key=True)
    unit: Mapped[str] = mapped_column(primary_key=True)
    issued: Mapped[int] = mapped_column(BigId)
    redeemed: Mapped[int] = mapped_column(BigId)
    held: Mapped[int] = mapped_column(BigId)
    expired: Mapped[int] = mapped_column(BigId)
    returned: Mapped[int] = mapped_column(BigId)
    other: Mapped[int] = mapped_column(BigId)
    open: Mapped[int] = mapped_column(BigId)
    ends_on: Mapped[date | None]

    __table_args__ = ({"sqlite_with_rowid": False},)


class ReportReturn(Base):
    """Cards whose first purchase was on `first_day`, by the days until their second one; -1: there was none yet."""

    __tablename__ = "report_return"

    programme_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    first_day: Mapped[date] = mapped_column(primary_key=True)
    gap_days: Mapped[int] = mapped_column(primary_key=True)
    cards: Mapped[int] = mapped_column(BigId)

    __table_args__ = ({"sqlite_with_rowid": False},)


class TierMove(Base):
    """A card came to another tier. A trigger on `card` writes it, whoever moved the card; never changed."""

    __tablename__ = "tier_move"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(BigId)
    card_id: Mapped[int] = mapped_column(BigId)
    from_id: Mapped[int | None] = mapped_column(BigId)
    to_id: Mapped[int | None] = mapped_column(BigId)
    at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (Index("ix_tier_move_programme_id_at", "programme_id", "at"),)


class Valuation(Base):
    """What a programme's points are taken to be worth, in decimal strings; empty: not said.

    `point_value`: of one point, in whole units of the programme's currency. `expected_use`: the share of points that
    will be used. `margin`: the share of a sale that is left after its cost. `member_years`: how long a member stays.
    """

    __tablename__ = "valuation"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True)
    point_value: Mapped[str] = mapped_column(default="")
    expected_use: Mapped[str] = mapped_column(default="")
    margin: Mapped[str] = mapped_column(default="")
    member_years: Mapped[str] = mapped_column(default="")
    changed_by: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime] = mapped_column(Instant)
