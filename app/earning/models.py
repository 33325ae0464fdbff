"""Versions of a programme's rules. A sale keeps the version it was booked by."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class RuleVersion(Base):
    """A rule set from an instant on, until a later one begins. `rules` is what `earning.reading` reads.

    `number` counts a programme's versions; of those that have begun, the highest holds. Never changed.
    """

    __tablename__ = "rule_version"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    number: Mapped[int]
    starts_at: Mapped[datetime] = mapped_column(Instant)
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)
    note: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (UniqueConstraint("programme_id", "number"),)


class Spent(Base):
    """How much of a cap that all members share was used: reserved with the sale, in one conditional UPDATE."""

    __tablename__ = "rule_budget"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(BigId, default=0)
