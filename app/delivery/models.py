"""Which processes are alive, and what delivery has done so far, for health pages and metrics only."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class Node(Base):
    """A process of this installation, and when it last said that it lives.

    `role`: web, worker, scheduler, or delivery (worker and scheduler in one). `machine` tells one running kernel from
    another. `worked_at`: when it last did a piece of its own work, for a worker a drain or a
    ping that came back through the broker; a process that beats and does not work is deaf. `clock_apart_ms`: its clock
    minus the database's. `clock_jump_ms`: by how much its clock last jumped, and when.
    """

    __tablename__ = "node"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(Instant)
    beat_at: Mapped[datetime] = mapped_column(Instant)
    host: Mapped[str] = mapped_column(default="")
    machine: Mapped[str] = mapped_column(default="")
    build: Mapped[str] = mapped_column(default="")
    worked_at: Mapped[datetime | None] = mapped_column(Instant)
    clock_apart_ms: Mapped[int] = mapped_column(BigId, default=0)
    clock_jump_ms: Mapped[int] = mapped_column(BigId, default=0)
    clock_jumped_at: Mapped[datetime | None] = mapped_column(Instant)


class LaneState(Base):
    """Whether workers hear that a lane has work. Times are epoch milliseconds.

    `heard_at`: when a worker last took the lane up. `degraded_since`: since when schedulers send in the workers' stead;
    0 while workers hear.
    """

    __tablename__ = "lane_state"

    lane: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    heard_at: Mapped[int] = mapped_column(BigId, default=0)
    degraded_since: Mapped[int] = mapped_column(BigId, default=0)


class Silence(Base):
    """A phone that was told and has not fetched for hours. Times are epoch milliseconds.

    `since`: when it was told. `fetched`: the version it had then; once it has another, the silence is over. `pushes`
    and `pushed_at`: how often it was told once more, and when last.
    """

    __tablename__ = "silence"

    target_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    since: Mapped[int] = mapped_column(BigId, index=True)
    fetched: Mapped[int] = mapped_column(BigId)
    pushes: Mapped[int] = mapped_column(default=0)
    pushed_at: Mapped[int] = mapped_column(BigId, default=0)


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
    `causes`: {"waiting": count, ...} of those behind; `refusals`: {"400 BadTopic": count, ...} of those parked.
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
    causes: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    refusals: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
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
