"""Using a unique code: once, whoever asks how often and where."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.cards.models import Programme, Store
from app.coupons import codes
from app.coupons.models import Batch, Coupon
from app.db import rows_changed
from app.errors import Conflict, NotFound, Sentence
from app.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Found:
    """A code that exists, and what it is one of."""

    coupon: Coupon
    batch: Batch


def find(session: Session, programme_id: int, text: str) -> Found:
    """The code that was typed or scanned, used or not. A text that cannot be one is answered without looking it up.

    Raises: NotFound `unknown_code`, also for another programme's code.
    """
    code = codes.normalise(text)
    if code is None:
        raise _unknown()
    vault: Vault = session.info["vault"]
    query = (
        select(Coupon, Batch)
        .join(Batch, Batch.id == Coupon.batch_id)
        .where(Coupon.digest == codes.digest(vault, programme_id, code), Batch.programme_id == programme_id)
        .execution_options(populate_existing=True)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise _unknown()
    return Found(coupon=row[0], batch=row[1])


def check(session: Session, found: Found, *, store_id: int | None, now: datetime) -> None:
    """See that a code can be used here and now; nothing is written.

    Raises: Conflict `already_used` saying when and where, revoked, not_started, ended or wrong_store.
    """
    coupon, batch = found.coupon, found.batch
    if coupon.used_at is not None:
        raise _already_used(session, coupon, batch, now)
    if batch.state == "revoked":
        raise Conflict("revoked", "This code was called back; it gives nothing any more.")
    if batch.starts_at is not None and now < batch.starts_at:
        raise Conflict("not_started", "This code cannot be used yet.")
    if batch.ends_at is not None and now >= batch.ends_at:
        raise Conflict("ended", "This code has ended.")
    if batch.stores and store_id not in batch.stores:
        raise Conflict("wrong_store", "This code is not taken at this store.")


def use(session: Session, found: Found, *, card_id: int, store_id: int | None, now: datetime) -> None:
    """Use a code up, for a card that is held. Of many at once one gets it: the update's condition decides.

    Raises: as `check`.
    """
    check(session, found, store_id=store_id, now=now)
    mine = (
        update(Coupon)
        .where(Coupon.id == found.coupon.id, Coupon.used_at.is_(None))
        .values(used_at=now, card_id=card_id, store_id=store_id, entry_id=None)
        .execution_options(synchronize_session=False)
    )
    done = rows_changed(session, mine) == 1
    session.refresh(found.coupon)
    session.refresh(found.batch)  # a batch may have been revoked while this waited
    if not done:
        raise _already_used(session, found.coupon, found.batch, now)
    if found.batch.state == "revoked":
        raise Conflict("revoked", "This code was called back; it gives nothing any more.")


def used_by(session: Session, found: Found, entry_id: str) -> None:
    """Write down by which entry a code was used: undoing that makes it good again."""
    session.execute(
        update(Coupon)
        .where(Coupon.id == found.coupon.id)
        .values(entry_id=entry_id)
        .execution_options(synchronize_session=False)
    )


def give_back(session: Session, entry_id: str) -> bool:
    """Make the code good again that an entry used; whether there was one. Once: the entry is forgotten with it."""
    back = (
        update(Coupon)
        .where(Coupon.entry_id == entry_id)
        .values(used_at=None, card_id=None, store_id=None, entry_id=None)
        .execution_options(synchronize_session=False)
    )
    return rows_changed(session, back) == 1


def _unknown() -> NotFound:
    return NotFound("unknown_code", "There is no such code. Check it for a typing mistake.")


def _already_used(session: Session, coupon: Coupon, batch: Batch, now: datetime) -> Conflict:
    """By the clock of the store where it was used, with the day if that is another one."""
    row = None
    if coupon.store_id is not None:
        row = session.execute(select(Store.name, Store.timezone).where(Store.id == coupon.store_id)).one_or_none()
    zone = ZoneInfo(row.timezone if row else session.get_one(Programme, batch.programme_id).timezone)
    used = (coupon.used_at or now).astimezone(zone)
    form = "%H:%M" if used.date() == now.astimezone(zone).date() else "%Y-%m-%d %H:%M"
    time = used.strftime(form)
    if row is None:
        return Conflict("already_used", Sentence("This code was used at %(time)s.", time=time))
    return Conflict("already_used", Sentence("Used %(time)s at %(store)s", time=time, store=row.name))
