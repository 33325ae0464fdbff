"""Which processes are alive, and what delivery has done so far, for health pages and metrics only."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class Node(Base):
    """A process that delivers or schedules, and when it last said so."""

    __tablename__ = "node"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(Instant)
    beat_at: Mapped[datetime] = mapped_column(Instant)


class Tally(Base):
    """A count that only grows. Kept here, not in a process: whoever serves /metrics is not who delivers.

    `name` push: by channel and outcome. `name` lag: by lane and upper bound in seconds; `name` lag_sum: milliseconds.
    """

    __tablename__ = "delivery_tally"

    name: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    detail: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigId, default=0)


class Snapshot(Base):
    """The tallies as they stood at one minute, so that two of them give what happened in between.

    `tallies`: {"lag:0:1.5": count, ...}, as in `Tally`. `behind`: {"apple:waiting": count, ...}. Kept for every minute
    of a day, then for every hour.
    """

    __tablename__ = "sync_snapshot"

    at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    tallies: Mapped[dict[str, int]] = mapped_column(JSON)
    behind: Mapped[dict[str, int]] = mapped_column(JSON)


class Census(Base):
    """How many addresses of a programme and channel were in which condition when all were last counted.

    `told`: accepted by the vendor, not yet fetched by the phone. `quiet`: told, and not fetched for seven days.
    """

    __tablename__ = "sync_census"

    programme_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(primary_key=True)
    current: Mapped[int] = mapped_column(BigId, default=0)
    told: Mapped[int] = mapped_column(BigId, default=0)
    quiet: Mapped[int] = mapped_column(BigId, default=0)
    behind: Mapped[int] = mapped_column(BigId, default=0)
    parked: Mapped[int] = mapped_column(BigId, default=0)
    gone: Mapped[int] = mapped_column(BigId, default=0)
    counted_at: Mapped[datetime] = mapped_column(Instant)


class Turn(Base):
    """A piece of work that one scheduler at a time does, when it is due again, and where it goes on.

    Whoever moves `due_at` on has the turn; one that dies in the middle loses nothing but that turn.
    """

    __tablename__ = "turn"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[int] = mapped_column(BigId, default=0)
    cursor: Mapped[int] = mapped_column(BigId, default=0)
    note: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
