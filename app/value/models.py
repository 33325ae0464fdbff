"""Money on cards: gift cards, stored value, cards without a person."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class ValueSettings(Base):
    """What a programme allows with money on its cards; where there is no row, `value.limits` says what is usual.

    `load_limit_minor`: most that one load brings and that a card holds after it. `pin_above_minor`: larger payments ask
    for the card's PIN. `bearer_cap_minor`: most discount for a card without a person in a calendar year, None for any.
    There is no expiry, on purpose: loaded money is owed until it is spent.
    """

    __tablename__ = "value_settings"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True, autoincrement=False)
    load_limit_minor: Mapped[int] = mapped_column(BigId)
    pin_above_minor: Mapped[int] = mapped_column(BigId)
    bearer_cap_minor: Mapped[int | None] = mapped_column(BigId)
    changed_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint(
            "load_limit_minor > 0 AND pin_above_minor >= 0 AND (bearer_cap_minor IS NULL OR bearer_cap_minor > 0)",
            name="numbers",
        ),
    )


class Load(Base):
    """What paid for the money that an entry put on a card. A reference loads once, unless its load was `undone`."""

    __tablename__ = "value_load"

    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id"), primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"))
    reference: Mapped[str]
    undone: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (
        Index(
            "uq_value_load_reference",
            "programme_id",
            "reference",
            unique=True,
            sqlite_where=text("NOT undone"),
            postgresql_where=text("NOT undone"),
        ),
    )


class Batch(Base):
    """Cards that were made together, for printing."""

    __tablename__ = "card_batch"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    kind: Mapped[str]
    name: Mapped[str]
    size: Mapped[int]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (CheckConstraint("kind IN ('bearer', 'gift') AND size > 0", name="kind"),)


class ValueCard(Base):
    """What is kept of a card beside its row: every gift and bearer card, and any other that has a PIN.

    `pin_digest` is keyed and the card's own; `wrong_pins` counts since the last right one. `replaced_by_id`: the card
    that its money and history went to; such a card never comes back. `blocked_at`: somebody stopped it, and may let it
    go on.
    """

    __tablename__ = "value_card"

    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), primary_key=True, autoincrement=False)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("card_batch.id"), index=True)
    pin_digest: Mapped[str | None]
    wrong_pins: Mapped[int] = mapped_column(default=0, server_default="0")
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("card.id"), index=True)
    blocked_at: Mapped[datetime | None] = mapped_column(Instant)
    blocked_by: Mapped[str] = mapped_column(default="", server_default="")
    block_reason: Mapped[str] = mapped_column(default="", server_default="")

    __table_args__ = (Index("ix_value_card_programme_id_card_id", "programme_id", "card_id"),)


class BearerDiscount(Base):
    """Money that a card without a person took off a sale, by the year of the programme's calendar."""

    __tablename__ = "bearer_discount"

    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id"), primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"))
    year: Mapped[int]
    minor: Mapped[int] = mapped_column(BigId)

    __table_args__ = (Index("ix_bearer_discount_card_id_year", "card_id", "year"),)
