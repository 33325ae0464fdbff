"""Saved rules that select members, and who they select where that is kept."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class Segment(Base):
    """A rule with a name. `rules` is the JSON of `segments.rules`; `revision` rises when it changes.

    `kept`: its members are kept in `segment_member`, because cards or rules of earning ask about them; `kept_at`: when
    that was last brought up to date. `counted` of the programme's cards were in it at `counted_at`.
    """

    __tablename__ = "segment"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    name: Mapped[str]
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)
    revision: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(default="live")
    kept: Mapped[bool] = mapped_column(default=False, server_default=false())
    kept_at: Mapped[datetime | None] = mapped_column(Instant)
    counted: Mapped[int | None] = mapped_column(BigId)
    counted_at: Mapped[datetime | None] = mapped_column(Instant)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        UniqueConstraint("programme_id", "name"),
        CheckConstraint("state IN ('live', 'archived')", name="state"),
    )


class SegmentMember(Base):
    """A card that is in a kept segment."""

    __tablename__ = "segment_member"

    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    segment_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)

    __table_args__ = (
        # the cards of one segment are walked in their order, whatever happens to many of them
        Index("ix_segment_member_segment_id_card_id", "segment_id", "card_id"),
        {"sqlite_with_rowid": False},
    )
