"""Stamp cards: count to N, then a reward. What a member has of them stands in the ledger."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.cards.models import Programme
from app.db import Base, BigId, Instant

FEWEST, MOST = 2, 50


class StampCard(Base):
    """`size` stamps, then a reward; stamps are units `stamp:<public id>`, rewards not yet used `voucher:<public id>`.

    `gives`: visit, by a tap of the cashier; piece, for every piece on a sale; amount, for every `per_minor` of it.
    `item_kind`: any, product or category, and `item` its name. Of two live ones for the same item, the lower `priority`
    wins a line. `texts`: {language: {"name": …, "reward": …}}. `reward_kind`: item, amount_off, percent_off or gift, of
    which the two with a number have it in `reward_value` (minor units, percent). Lives are whole local days: None never
    ends. `stores` are ids; none means every one. `ends_at` may be None. `state`: scheduled, live or ended.
    """

    __tablename__ = "stamp_card"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    name: Mapped[str]
    texts: Mapped[dict[str, dict[str, str]]] = mapped_column(JSON, default=dict)
    size: Mapped[int]
    gives: Mapped[str]
    per_minor: Mapped[int | None] = mapped_column(BigId)
    item_kind: Mapped[str] = mapped_column(default="any")
    item: Mapped[str] = mapped_column(default="")
    priority: Mapped[int | None]
    reward: Mapped[str]
    reward_kind: Mapped[str] = mapped_column(default="item")
    reward_value: Mapped[int | None] = mapped_column(BigId)
    stamps_live_days: Mapped[int | None]
    vouchers_live_days: Mapped[int | None]
    cool_down_min: Mapped[int] = mapped_column(default=10)
    stores: Mapped[list[int]] = mapped_column(JSON, default=list)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(default="live")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)

    programme: Mapped[Programme] = relationship()

    __table_args__ = (
        CheckConstraint(f"size BETWEEN {FEWEST} AND {MOST}", name="size"),
        CheckConstraint("gives IN ('visit', 'piece', 'amount')", name="gives"),
        CheckConstraint("(gives = 'amount') = (per_minor IS NOT NULL)", name="per_minor"),
        CheckConstraint("item_kind IN ('any', 'product', 'category')", name="item_kind"),
        CheckConstraint("(item_kind = 'any') = (item = '')", name="item"),
        CheckConstraint("reward_kind IN ('item', 'amount_off', 'percent_off', 'gift')", name="reward_kind"),
        CheckConstraint("state IN ('scheduled', 'live', 'ended')", name="state"),
        CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="window"),
    )

    @property
    def unit(self) -> str:
        return f"stamp:{self.public_id}"

    @property
    def voucher_unit(self) -> str:
        return f"voucher:{self.public_id}"


class StampedReceipt(Base):
    """A receipt that has given stamps on a stamp card: it does so once at a store, until that is undone.

    `store_id` is 0 where none was named.
    """

    __tablename__ = "stamped_receipt"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stamp_card_id: Mapped[int] = mapped_column(ForeignKey("stamp_card.id"))
    store_id: Mapped[int] = mapped_column(BigId, default=0)
    receipt: Mapped[str]
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), index=True)
    undone_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        Index(
            "uq_stamped_receipt",
            "stamp_card_id",
            "store_id",
            "receipt",
            unique=True,
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
    )
