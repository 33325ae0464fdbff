"""Trials in some stores, with others to compare them with."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant

KINDS = ("offer", "campaign", "rule")
STATES = ("open", "widened", "stopped")
ARMS = ("pilot", "control")


class Pilot(Base):
    """An offer, a campaign or a rule of earning that is tried in some stores before it comes to the others.

    `subject`: the public id of the offer or campaign, or the name of the rule. Days are the programme's;
    `before_on` to the day before `starts_on` is what the pilot is compared with, `ends_on` is its last day. `state`:
    open until somebody ends it; `outcome`: what that changed, as {"stores": [public ids]}; of a campaign with
    {"campaign": its copy's public id, "waits": what keeps the copy from going, ""}, and {"offer": public id} of the
    offer that was widened with it.
    """

    __tablename__ = "pilot"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    name: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    before_on: Mapped[date]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    state: Mapped[str] = mapped_column(default="open")
    outcome: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_by: Mapped[str] = mapped_column(default="")
    ended_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(one) for one in KINDS)})", name="kind"),
        CheckConstraint(f"state IN ({', '.join(repr(one) for one in STATES)})", name="state"),
        CheckConstraint("before_on < starts_on AND starts_on <= ends_on", name="days"),
        Index("ix_pilot_programme_id", "programme_id"),
    )


class PilotStore(Base):
    """A store of a pilot, in one arm: the key lets it be in no second one."""

    __tablename__ = "pilot_store"

    pilot_id: Mapped[int] = mapped_column(ForeignKey("pilot.id"), primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"), primary_key=True)
    arm: Mapped[str]

    __table_args__ = (CheckConstraint("arm IN ('pilot', 'control')", name="arm"),)
