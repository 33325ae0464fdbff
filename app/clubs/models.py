"""Clubs: membership with dates, its terms, and what is open to members alone."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.cards.models import Programme
from app.db import Base, BigId, Instant


class Club(Base):
    """A club of a programme; a term lasts `term_months`. The fee is paid outside.

    `texts`: {language: {"name": …, "benefits": …}}. `state`: live, or ended: nobody joins or renews any more.
    """

    __tablename__ = "club"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    slug: Mapped[str]
    name: Mapped[str]
    benefits: Mapped[str]
    texts: Mapped[dict[str, dict[str, str]]] = mapped_column(JSON, default=dict)
    term_months: Mapped[int] = mapped_column(default=12)
    state: Mapped[str] = mapped_column(default="live")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)

    programme: Mapped[Programme] = relationship()

    __table_args__ = (
        UniqueConstraint("programme_id", "slug"),
        CheckConstraint("term_months BETWEEN 1 AND 120", name="term_months"),
        CheckConstraint("state IN ('live', 'ended')", name="state"),
    )


class ClubMembership(Base):
    """A member in a club from `starts_at` until before `ends_at`, the end of a local day.

    `dropped_at`: when the card was told of its end, once for each end.
    """

    __tablename__ = "club_membership"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    club_id: Mapped[int] = mapped_column(ForeignKey("club.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    dropped_at: Mapped[datetime | None] = mapped_column(Instant)

    club: Mapped[Club] = relationship()

    __table_args__ = (
        UniqueConstraint("club_id", "member_id"),
        CheckConstraint("ends_at >= starts_at", name="window"),
        Index(
            "ix_club_membership_running",
            "ends_at",
            sqlite_where=text("dropped_at IS NULL"),
            postgresql_where=text("dropped_at IS NULL"),
        ),
    )


class ClubTerm(Base):
    """One joining, renewal or ending of a membership, with the reference of the fee. Never changed."""

    __tablename__ = "club_term"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    membership_id: Mapped[int] = mapped_column(ForeignKey("club_membership.id"), index=True)
    kind: Mapped[str]
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    reference: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (CheckConstraint("kind IN ('joined', 'renewed', 'ended')", name="kind"),)


class GatedLink(Base):
    """An address that members of one club, or cards of one tier, may open; `target_url` is where it leads.

    `texts`: {language: {"title": …}}.
    """

    __tablename__ = "gated_link"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    club_id: Mapped[int | None] = mapped_column(ForeignKey("club.id"))
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    slug: Mapped[str]
    title: Mapped[str]
    texts: Mapped[dict[str, dict[str, str]]] = mapped_column(JSON, default=dict)
    target_url: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)

    club: Mapped[Club | None] = relationship()

    __table_args__ = (
        UniqueConstraint("programme_id", "slug"),
        CheckConstraint("(club_id IS NULL) <> (tier_id IS NULL)", name="one_gate"),
    )
