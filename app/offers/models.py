"""What marketing promises, from when to when."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.cards.models import Programme, Tier
from app.db import Base, BigId, Instant


class Offer(Base):
    """A time-limited benefit for all members of a programme or of one tier.

    `state`: scheduled, live, ended, cancelled. The instants are what the local times meant in `timezone` when it was
    saved. `texts`: {language: {"title": …, "body": …}}. `announce`: whether its start is shown on the lock screen.
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

    programme: Mapped[Programme] = relationship()
    tier: Mapped[Tier | None] = relationship()

    __table_args__ = (
        CheckConstraint("state IN ('scheduled', 'live', 'ended', 'cancelled')", name="state"),
        CheckConstraint("ends_at > starts_at", name="window"),
        CheckConstraint("limit_total IS NULL OR used <= limit_total", name="limit_total"),
        Index("ix_offer_programme_id_state", "programme_id", "state"),
    )


class Occurrence(Base):
    """The start or the end of an offer, waiting for its instant; fires exactly once.

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
        CheckConstraint("kind IN ('start', 'end')", name="kind"),
        CheckConstraint("status IN ('due', 'fired', 'missed', 'cancelled')", name="status"),
        Index("ix_occurrence_status_fire_at", "status", "fire_at"),
    )


class Redemption(Base):
    """One use of an offer by one card; `use_no` counts that card's uses, so a limit is a unique row, not a check."""

    __tablename__ = "redemption"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"))
    use_no: Mapped[int]
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), unique=True)
    store_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(Instant)
    reversed_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (UniqueConstraint("offer_id", "card_id", "use_no"),)
