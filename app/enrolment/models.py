"""One-time codes, by which somebody who lost their card gets the same one again."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Instant


class OneTimeCode(Base):
    """A code that was asked for. `card_id` null: nobody has that address, and nobody is told so.

    Only a keyed digest of the code is kept.
    """

    __tablename__ = "one_time_code"

    id: Mapped[str] = mapped_column(primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    card_id: Mapped[int | None] = mapped_column(ForeignKey("card.id"))
    digest: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
