"""What marketing promises, from when to when."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.cards.models import Programme, Tier
from app.db import Base, BigId, Instant

KINDS = ("text", "percent", "amount", "product", "multiplier", "bonus", "gift")
STATES = ("draft", "approved", "scheduled", "live", "paused", "ended", "cancelled", "archived")
AUDIENCES = ("all", "segment", "targeted")
MEASURES = ("uses", "points", "money")
PERIODS = ("all", "month", "day", "store_day")


class Offer(Base):
    """A time-limited benefit for all members of a programme, or for some of them.

    `kind` says what it gives, and `terms` how much, as `offers.terms` reads them. `state`: see STATES. The instants are
    what the local times meant in `timezone` when it was saved; with `by_store` those times, `starts_local` and
    `ends_local`, are meant by each store's own clock, and the instants are the earliest start and the latest end of all
    stores. `windows`: weekly local hours, by the store's clock, as `earning.windows` reads them; none: always.
    `grace_min`: so much later it is still taken at the till. `stores` and `tiers` are row ids; none named means all.

    `audience`: all; segment (who is in `segment_id` now); targeted (whom a campaign gave it: `OfferGrant`).
    `needs_code`: used with a code of a batch only. `combines`: best (the best single one of a sale), all (with any
    other), alone (with no other). `texts`: {language: {"title": …, "body": …}}. `announce`: whether its start is shown
    on the lock screen. `used`: how often it was used, net of what was taken back. `revision` rises with each edit.
    """

    __tablename__ = "offer"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    title: Mapped[str]
    body: Mapped[str]
    texts: Mapped[dict[str, dict[str, str]]] = mapped_column(JSON, default=dict)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    timezone: Mapped[str]
    announce: Mapped[bool] = mapped_column(default=True)
    limit_per_card: Mapped[int | None]
    limit_total: Mapped[int | None]
    used: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default="scheduled")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(default="text", server_default="text")
    terms: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    windows: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    by_store: Mapped[bool] = mapped_column(default=False, server_default=false())
    grace_min: Mapped[int] = mapped_column(default=0, server_default="0")
    stores: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    tiers: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    audience: Mapped[str] = mapped_column(default="all", server_default="all")
    segment_id: Mapped[int | None] = mapped_column(BigId)
    needs_code: Mapped[bool] = mapped_column(default=False, server_default=false())
    combines: Mapped[str] = mapped_column(default="best", server_default="best")
    revision: Mapped[int] = mapped_column(default=1, server_default="1")
    approved_by: Mapped[str] = mapped_column(default="", server_default="")
    paused_because: Mapped[str] = mapped_column(default="", server_default="")
    starts_local: Mapped[str] = mapped_column(default="", server_default="")
    ends_local: Mapped[str] = mapped_column(default="", server_default="")
    withholds_at: Mapped[datetime | None] = mapped_column(Instant)

    programme: Mapped[Programme] = relationship()
    tier: Mapped[Tier | None] = relationship()

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        CheckConstraint("audience IN ('all', 'segment', 'targeted')", name="audience"),
        CheckConstraint("combines IN ('best', 'all', 'alone')", name="combines"),
        CheckConstraint("grace_min BETWEEN 0 AND 15", name="grace"),
        CheckConstraint("ends_at > starts_at", name="window"),
        CheckConstraint("limit_total IS NULL OR used <= limit_total", name="limit_total"),
        Index("ix_offer_programme_id_state", "programme_id", "state"),
    )


class OfferBudget(Base):
    """The most that an offer may cost: `most` of a `measure` in each `period`. Money is in minor units.

    Uses reserve their share with the sale, and give it back when that is taken back.
    """

    __tablename__ = "offer_budget"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    measure: Mapped[str]
    period: Mapped[str]
    most: Mapped[int] = mapped_column(BigId)

    __table_args__ = (
        UniqueConstraint("offer_id", "measure", "period"),
        CheckConstraint(f"measure IN ({', '.join(repr(one) for one in MEASURES)})", name="measure"),
        CheckConstraint(f"period IN ({', '.join(repr(one) for one in PERIODS)})", name="period"),
        CheckConstraint("most > 0", name="most"),
    )


class OfferBudgetUse(Base):
    """How much of a budget was used in one period: "" for all time, "2026-12", "2026-12-24" or "2026-12-24/17".

    The last names a store. `warned_at`: when 80 % of it were used.
    """

    __tablename__ = "offer_budget_use"

    budget_id: Mapped[int] = mapped_column(ForeignKey("offer_budget.id"), primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(BigId, default=0)
    warned_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (CheckConstraint("used >= 0", name="used"),)


class OfferGrant(Base):
    """A targeted offer in one member's hands, from when until when they may use it.

    `closed`: its end has come and the card was told, or it was taken away. `withheld`: the contrary of a grant, of an
    offer that is not targeted: this one member must not have it.
    """

    __tablename__ = "offer_grant"

    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    offer_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    run_id: Mapped[int | None] = mapped_column(BigId)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    closed: Mapped[bool] = mapped_column(default=False)
    withheld: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (
        # the cards of one offer are walked in their order, whatever happens to many of them
        Index("ix_offer_grant_offer_id_card_id", "offer_id", "card_id"),
        Index("ix_offer_grant_open", "ends_at", sqlite_where=text("NOT closed"), postgresql_where=text("NOT closed")),
        {"sqlite_with_rowid": False},
    )


class Occurrence(Base):
    """The start or the end of an offer, waiting for its instant; fires exactly once.

    `kind`: start, end, and warn, a day before the end; pause and resume are due at once, and are there so that a till
    that uses up a budget need not touch the cards itself.

    `local_key`: what was meant, as the wall clock of the offer's zone shows it; `fire_at` follows from it by the rules
    of the zone as they are known today.
    """

    __tablename__ = "occurrence"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    kind: Mapped[str]
    fire_at: Mapped[datetime] = mapped_column(Instant)
    deadline: Mapped[datetime | None] = mapped_column(Instant)
    status: Mapped[str] = mapped_column(default="due")
    fired_at: Mapped[datetime | None] = mapped_column(Instant)
    local_key: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        UniqueConstraint("offer_id", "kind"),
        CheckConstraint("kind IN ('start', 'warn', 'pause', 'resume', 'end')", name="kind"),
        CheckConstraint("status IN ('due', 'fired', 'missed', 'cancelled')", name="status"),
        Index("ix_occurrence_status_fire_at", "status", "fire_at"),
    )


class Redemption(Base):
    """One use of an offer by one card; `use_no` counts that card's uses, so a limit is a unique row, not a check.

    `sale_id`: the entry of the sale that it came with. `cost_minor`: what it took off; `points`: what it gave besides.
    `day`: the local day at the store, by which budgets count.
    """

    __tablename__ = "redemption"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"))
    use_no: Mapped[int]
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), unique=True)
    store_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(Instant)
    reversed_at: Mapped[datetime | None] = mapped_column(Instant)
    sale_id: Mapped[str | None] = mapped_column(index=True)
    cost_minor: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    points: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    day: Mapped[str] = mapped_column(default="", server_default="")

    __table_args__ = (
        UniqueConstraint("offer_id", "card_id", "use_no"),
        # every fetch of a card asks what it has used
        Index(
            "ix_redemption_used",
            "card_id",
            "offer_id",
            sqlite_where=text("reversed_at IS NULL"),
            postgresql_where=text("reversed_at IS NULL"),
        ),
    )
