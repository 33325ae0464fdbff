"""Versions of a programme's rules. A sale keeps the version it was booked by."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class RuleVersion(Base):
    """A rule set from an instant on, until a later one begins. `rules` is the JSON that `earning.reading` reads.

    `number` counts a programme's versions; of those that have begun, the highest holds. Never changed.
    """

    __tablename__ = "rule_version"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    number: Mapped[int]
    starts_at: Mapped[datetime] = mapped_column(Instant)
    rules: Mapped[str]
    note: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (UniqueConstraint("programme_id", "number"),)


class Budget(Base):
    """How many points a cap that all members share has given: reserved with the sale, in one conditional UPDATE."""

    __tablename__ = "rule_budget"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(BigId, default=0)

    __table_args__ = (CheckConstraint("used >= 0", name="used"),)


class BudgetUse(Base):
    """Which sale took how many points of a budget: given back when the sale is undone, once."""

    __tablename__ = "rule_budget_use"

    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    points: Mapped[int] = mapped_column(BigId)
