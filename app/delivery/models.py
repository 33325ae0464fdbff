"""Which processes are alive, for health pages only."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Instant


class Node(Base):
    """A process that delivers or schedules, and when it last said so."""

    __tablename__ = "node"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(Instant)
    beat_at: Mapped[datetime] = mapped_column(Instant)
