"""Stamps and their rewards at the counter."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime
from app.cards.models import Card, Store
from app.counter import moves
from app.counter.moves import Actor, Done, Shop
from app.earning.sale import Basket
from app.errors import AppError, Conflict, Forbidden, Sentence, Unprocessable
from app.fraud import service as fraud
from app.ledger import expiry, movements
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Entry
from app.stamps import booking, rules, service
from app.stamps.models import StampCard
from app.stamps.service import Progress

MOST_BY_CASHIER = 50


@dataclass(frozen=True, kw_only=True)
class Stamped(Done):
    """How the card stands on one stamp card after it: `rewards` are the new ones, `vouchers` all that can be used.

    `warnings` are sentences for the cashier; nothing was held back because of them.
    """

    stamp_card: StampCard
    stamps: int
    rewards: int
    vouchers: int
    warnings: tuple[str, ...] = ()


def stamp(
    session: Session,
    card: Card | Held,
    stamp_card: StampCard,
    count: int = 1,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    is_manager: bool = False,
    note: str = "",
) -> Stamped:
    """Give stamps by hand; each full round becomes a reward at once. Soon after the last ones it warns.

    Raises: Conflict `card_not_active`, `ended`, `not_started`, `not_eligible` or `duplicate_receipt`; Unprocessable
    `wrong_store` or `invalid_count`; Forbidden `own_card`, or `needs_manager` above 50 at once.
    """
    held = moves.usable(session, card, store)
    fraud.check_own(session, held, moves.happening(held, store, by, now))
    stamp_card = _usable_card(session, held, stamp_card, now, store)
    _check_count(count, is_manager)
    warnings = _too_soon(session, held, stamp_card, now)
    reasons = ["stamps: soon after the last"] if warnings else []
    told = moves.circumstance(held, by, now, store=store, note=note, reasons=reasons)
    held = _swept(session, held, told)
    given = booking.give(session, held, stamp_card, count, by=told)
    entry_id, store_id = given.booked.entry.id, told.store_id
    if receipt and not service.note_receipt(session, stamp_card, receipt, store_id=store_id, entry_id=entry_id):
        raise Conflict("duplicate_receipt", "This receipt has given its stamps at this store already.")
    return _stands(moves.done(session, given.booked.card, given.booked, now), stamp_card, given.rewards, warnings)


def redeem_voucher(
    session: Session,
    card: Card | Held,
    stamp_card: StampCard,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Stamped:
    """Use one reward of a full stamp card. Also after the stamp card has ended: what was reached stays.

    Raises: Conflict `card_not_active`, `not_eligible`, `already_used` or `ended` (the reward expired); Unprocessable
    `insufficient` or `wrong_store`.
    """
    held = moves.usable(session, card, store)
    if stamp_card.programme_id != held.programme_id:
        raise _not_eligible()
    if store is not None and not service.is_at(stamp_card, store.id):
        raise _not_here()
    told = moves.circumstance(held, by, now, store=store, receipt=receipt, note=f"stamps:{stamp_card.public_id}")
    held = _swept(session, held, replace(told, note=""))
    if not held.in_unit(stamp_card.voucher_unit):
        raise _nothing_to_use(session, held, stamp_card)
    booked = movements.take(session, held, stamp_card.voucher_unit, 1, sink="redeem", by=told, kind="spend")
    return _stands(moves.done(session, booked.card, booked, now), stamp_card, 0, ())


def for_sale(
    session: Session,
    card: Held,
    basket: Basket,
    *,
    by: Circumstance,
    stamp_cards: Sequence[StampCard] | None = None,
) -> list[Booked]:
    """Give the stamps of a sale, as parts of the entry that *by* names (`Circumstance.part_of`); go on with the last
    one's `card`. Empty, if the sale gives none. A receipt that has given its stamps by hand gives no more.

    *stamp_cards*: those of `service.live` for the sale's time and store, if they are at hand.
    """
    if stamp_cards is None:
        if not service.counts_sales(session, card.programme_id):
            return []
        stamp_cards = service.live(session, card.programme_id, now=by.occurred_at or by.now, store_id=by.store_id)
    done: list[Booked] = []
    told = replace(by, reasons=(), receipt=None)  # a receipt names its sale alone
    for one in rules.counted(stamp_cards, basket):
        if by.receipt and service.receipt_has_stamped(session, one.stamp_card.id, by.receipt, store_id=by.store_id):
            continue
        if not done:
            card = _swept(session, card, replace(told, part_of_id=None))
        given = booking.give(session, card, one.stamp_card, one.count, by=told, lines=one.lines)
        if by.receipt:
            entry_id = given.booked.entry.id
            service.note_receipt(session, one.stamp_card, by.receipt, store_id=by.store_id, entry_id=entry_id)
        done.append(given.booked)
        card = given.booked.card
    return done


def quote(session: Session, card: Held, basket: Basket, *, now: datetime, store: Shop | None) -> dict[str, int]:
    """How many stamps a sale would give, by the stamp card's public id."""
    stamp_cards = service.live(session, card.programme_id, now=now, store_id=store.id if store else None)
    return {one.stamp_card.public_id: one.count for one in rules.counted(stamp_cards, basket)}


def at_till(session: Session, card: Card | Held, *, now: datetime, store: Shop | None = None) -> list[Progress]:
    """What a cashier can do with a card: stamp it, or take a reward. Reads alone."""
    found = service.progress(session, card.member_id, card.programme_id, now=now)
    return [one for one in found if store is None or service.is_at(one.stamp_card, store.id)]


def _usable_card(session: Session, card: Held, stamp_card: StampCard, now: datetime, store: Shop | None) -> StampCard:
    """The stamp card as it is now, its rules kept from changing until the end of the transaction."""
    if stamp_card.programme_id != card.programme_id:
        raise _not_eligible()
    session.refresh(stamp_card, with_for_update={"read": True, "of": StampCard})
    if not service.is_live(stamp_card, now):
        if stamp_card.state != "ended" and now < stamp_card.starts_at:
            raise Conflict("not_started", "This stamp card has not started yet.")
        raise Conflict("ended", "This stamp card has ended.")
    if store is not None and not service.is_at(stamp_card, store.id):
        raise _not_here()
    return stamp_card


def _check_count(count: int, is_manager: bool) -> None:
    if not 1 <= count <= rules.MOST_AT_ONCE:
        text = Sentence("Give 1 to %(most)s stamps at once.", most=rules.MOST_AT_ONCE)
        raise Unprocessable("invalid_count", text, errors={"count": text})
    if count > MOST_BY_CASHIER and not is_manager:
        text = Sentence("More than %(most)s stamps at once need a manager.", most=MOST_BY_CASHIER)
        raise Forbidden("needs_manager", text, errors={"count": text})


def _too_soon(session: Session, card: Held, stamp_card: StampCard, now: datetime) -> tuple[str, ...]:
    if not stamp_card.cool_down_min:
        return ()
    undone = select(Entry.reverses_id).where(Entry.card_id == card.id, Entry.reverses_id.is_not(None))
    query = (
        select(Entry.recorded_at)
        .where(
            Entry.card_id == card.id,
            Entry.recorded_at > now - timedelta(minutes=stamp_card.cool_down_min),
            Entry.unit == stamp_card.unit,
            Entry.kind == "earn",
            Entry.id.not_in(undone.where(Entry.recorded_at > now - timedelta(minutes=stamp_card.cool_down_min))),
        )
        .order_by(Entry.recorded_at.desc())
        .limit(1)
    )
    last = session.scalar(query)
    if last is None:
        return ()
    return (Sentence("Stamped %(num)s minutes ago already.", num=int((now - last).total_seconds() // 60)),)


def _swept(session: Session, card: Held, by: Circumstance) -> Held:
    """What has expired counts no more, whether the sweep has come by or not."""
    done = expiry.expire(session, card, now=by.now, by=replace(by, reasons=()))
    return done[-1].card if done else card


def _stands(done: Done, stamp_card: StampCard, rewards: int, warnings: tuple[str, ...]) -> Stamped:
    return Stamped(
        entry=done.entry,
        card=done.card,
        balance=done.balance,
        tier=done.tier,
        stamp_card=stamp_card,
        stamps=done.card.in_unit(stamp_card.unit),
        rewards=rewards,
        vouchers=done.card.in_unit(stamp_card.voucher_unit),
        warnings=warnings,
    )


def _nothing_to_use(session: Session, card: Held, stamp_card: StampCard) -> AppError:
    query = (
        select(Entry.kind, Entry.recorded_at, Store.name)
        .outerjoin(Store, Store.id == Entry.store_id)
        .where(Entry.card_id == card.id, Entry.unit == stamp_card.voucher_unit)
        .order_by(Entry.seq.desc())
        .limit(1)
    )
    last = session.execute(query).one_or_none()
    stands = {"stamps": card.in_unit(stamp_card.unit), "size": stamp_card.size}
    if last is None or last.kind not in {"spend", "capture", "expire"}:
        text = Sentence("There is no reward to use yet: %(stamps)s of %(size)s stamps.", **stands)
        return Unprocessable("insufficient", text, errors={"voucher": text})
    at = localtime.wall_clock(last.recorded_at, stamp_card.programme.timezone)
    when = {"day": at.date().isoformat(), "time": f"{at:%H:%M}"}
    if last.kind == "expire":
        return Conflict(
            "ended", Sentence("The reward expired on %(day)s; %(stamps)s of %(size)s stamps.", **when, **stands)
        )
    if last.name:
        return Conflict("already_used", Sentence("Used on %(day)s at %(time)s, at %(store)s.", store=last.name, **when))
    return Conflict("already_used", Sentence("Used on %(day)s at %(time)s.", **when))


def _not_eligible() -> Conflict:
    return Conflict("not_eligible", "This stamp card belongs to another programme.")


def _not_here() -> Unprocessable:
    text = "This stamp card is not used at this store."
    return Unprocessable("wrong_store", text, errors={"store": text})
