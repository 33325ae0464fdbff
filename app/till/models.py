"""What tills booked without a connection, and what each store lets them do then."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class OfflineRules(Base):
    """What a store's tills may do without a connection; a store without a row has the defaults.

    `points_per_day`: how many points one card may spend in a day at one till that cannot ask.
    """

    __tablename__ = "till_offline"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"), primary_key=True)
    stamps: Mapped[bool] = mapped_column(default=True)
    points_per_day: Mapped[int] = mapped_column(default=0)
    changed_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (CheckConstraint("points_per_day >= 0", name="points_per_day"),)


class OfflineSale(Base):
    """Something a till kept while it had no connection, as it arrived; `client_id` is the till's own name for it.

    `kind`: earn, stamp (one, on `stamp_card`), redeem (`points`). `made_at` is what the till's clock said. `cashier`
    made it, `sent_by` brought it here. `status`: applied, duplicate, refused (with `reason`), dismissed. `flags` say
    what is odd about it: clock, twice, allowance, loss. `is_open`: somebody should look at it. `lost` points were
    handed out that the card did not have.
    """

    __tablename__ = "till_sale"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    client_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    kind: Mapped[str]
    number: Mapped[str]
    amount_minor: Mapped[int | None] = mapped_column(BigId)
    currency: Mapped[str]
    points: Mapped[int | None] = mapped_column(BigId)
    stamp_card: Mapped[str | None]
    receipt: Mapped[str | None]
    made_at: Mapped[datetime] = mapped_column(Instant)
    zone: Mapped[str]
    terminal: Mapped[str]
    cashier: Mapped[str]
    sent_by: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(Instant)
    status: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")
    flags: Mapped[list[str]] = mapped_column(JSON, default=list)
    lost: Mapped[int] = mapped_column(BigId, default=0)
    entry_id: Mapped[str | None]
    is_open: Mapped[bool]
    settled_by: Mapped[str | None]
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    note: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        CheckConstraint("kind IN ('earn', 'stamp', 'redeem')", name="kind"),
        CheckConstraint("status IN ('applied', 'duplicate', 'refused', 'dismissed')", name="status"),
        Index(
            "ix_till_sale_open",
            "programme_id",
            "store_id",
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
        Index("ix_till_sale_programme_id_number", "programme_id", "number"),
    )


class Approval(Base):
    """A manager's word for one action of a cashier: the one with this idempotency key and this content.

    `action` is a digest of where the form goes and what is in it. `used_at` and `entry_id` are written with the entry.
    """

    __tablename__ = "till_approval"

    cashier_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str]
    approved_by: Mapped[str]
    approved_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    entry_id: Mapped[str | None] = mapped_column(index=True)
