"""Which processes are alive, and what delivery has done so far, for health pages and metrics only."""

from datetime import datetime

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
