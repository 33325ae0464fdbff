"""What a cashier does: each once for each key, however often the button is pressed."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.counter import misplaced, offering, returns, rewarding, sales, stamping
from app.counter.moves import Done
from app.counter.pricing import Sale
from app.earning.sale import Basket
from app.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.ledger import held, holds, reversals
from app.ledger.models import Entry
from app.offers import service as offers
from app.rewards import catalogue
from app.rewards.rules import Wish
from app.stamps import service as stamps
from app.till import queries, returning
from app.till.desk import Desk
from app.till.finding import card_at, entry_at, find, held_at
from app.till.forms import EarnForm, HoldForm, MoveForm, RedeemForm, StampForm, UndoForm
from app.till.repeats import once
from app.till.returning import ReturnForm
from app.till.rules import sale_limit_minor


def earn(session: Session, desk: Desk, serial: str, form: EarnForm, *, now: datetime) -> str:
    """Book a purchase and return the entry's id.

    Raises: Forbidden `needs_manager` above the limit of a cashier; Conflict `discount_changed`, if another one was
    shown; as `counter.sales.earn`.
    """
    if not isinstance(form.amount, int):
        raise Unprocessable("amount_unclear", "Choose which amount is meant.")
    amount = form.amount
    if amount > sale_limit_minor(desk.programme.currency) and not desk.manages:
        raise Forbidden("needs_manager", "This amount needs a manager.")

    def work() -> Done:
        card = held_at(session, desk, serial)
        sale = Sale(
            amount_minor=amount, currency=desk.programme.currency, receipt=form.receipt, store=desk.store,
            offers=form.offers,
        )  # fmt: skip
        sold = sales.earn(session, card, sale, by=desk.actor, now=now)
        if form.off is not None and sold.priced.off_minor != form.off:
            raise Conflict("discount_changed", "The discount has changed meanwhile. Look at it again.")
        return sold

    body = " ".join([f"earn {serial} {amount} {form.receipt}", *form.offers])
    return _once(session, desk, form.key, body, work, now=now)


def stamp(session: Session, desk: Desk, serial: str, form: StampForm, *, now: datetime) -> str:
    """Give stamps and return the entry's id.

    Raises: NotFound `unknown_stamp_card`; as `counter.stamping.stamp`.
    """

    def work() -> Done:
        card = held_at(session, desk, serial)
        return stamping.stamp(
            session, card, stamps.by_id(session, form.stamp_card), form.count, by=desk.actor, now=now,
            store=desk.store, is_manager=desk.manages,
        )  # fmt: skip

    return _once(session, desk, form.key, f"stamp {serial} {form.stamp_card} {form.count}", work, now=now)


def redeem(session: Session, desk: Desk, serial: str, form: RedeemForm, *, now: datetime) -> str:
    """Use points, a reward, the reward of a stamp card, or an offer; or hold a reward. Return the entry's id.

    Raises: NotFound `unknown_reward`, `unknown_offer` or `unknown_stamp_card`; as `counter.rewarding`,
    `counter.stamping.redeem_voucher` and `counter.offering.redeem_offer`.
    """

    def work() -> Done:
        card = held_at(session, desk, serial)
        by, store, receipt = desk.actor, desk.store, form.receipt
        if form.reward:
            reward = catalogue.by_public_id(session, desk.programme.id, form.reward)
            give = rewarding.hold_reward if form.hold else rewarding.redeem_reward
            wish = Wish(basket_minor=form.basket, slot=form.slot, waits=form.waits)
            return give(session, card, reward, by=by, now=now, store=store, receipt=receipt, wish=wish)
        if form.offer:
            offer = offers.by_id(session, form.offer)
            basket = None if form.basket is None else Basket(amount_minor=form.basket)
            return offering.redeem_offer(
                session, card, offer, by=by, now=now, store=store, receipt=receipt, basket=basket
            )
        if form.stamp_card:
            full = stamps.by_id(session, form.stamp_card)
            return stamping.redeem_voucher(session, card, full, by=by, now=now, store=store, receipt=receipt)
        return rewarding.redeem_points(session, card, form.points or 0, by=by, now=now, store=store, receipt=receipt)

    body = f"redeem {serial} {form.points} {form.reward} {form.offer} {form.receipt}"
    if form.stamp_card or form.hold:
        body += f" {form.stamp_card} {form.hold}"
    if form.slot:
        body += f" {form.slot} {form.waits}"
    return _once(session, desk, form.key, body, work, now=now)


def end_hold(session: Session, desk: Desk, serial: str, form: HoldForm, *, now: datetime) -> str:
    """Use up what was put aside, or let it go, and return the entry's id.

    Raises: NotFound `unknown_hold`; as `counter.rewarding.capture` and `void`.
    """

    def work() -> Done:
        card = held_at(session, desk, serial)
        if holds.by_id(session, form.hold_id).card_id != card.id:
            raise NotFound("unknown_hold", "There is no such hold.")
        if form.capture:
            return rewarding.capture(session, form.hold_id, None, by=desk.actor, now=now, store=desk.store)
        return rewarding.void(session, form.hold_id, by=desk.actor, now=now)

    return _once(session, desk, form.key, f"end hold {form.hold_id} {form.capture}", work, now=now)


def undo(session: Session, desk: Desk, form: UndoForm, *, now: datetime) -> str:
    """Undo an entry, or let go of what it put aside, and return the counter-entry's id.

    Raises: Conflict `leaves_deficit`, unless confirmed, with the missing points as `errors["missing"]`; NotFound
    `unknown_transaction`; as `counter.returns.undo_at_till`.
    """

    def work() -> Done:
        entry = entry_at(session, desk, form.entry_id)
        held.by_id(session, entry.card_id)  # the lock: what is owed is decided on what nobody else can spend
        hold_id = session.scalar(queries.open_hold(entry.id))
        if hold_id is not None:
            return rewarding.void(session, hold_id, by=desk.actor, now=now)
        missing = returning.owed_after(session, entry, entry.points)
        if missing and not form.confirmed and not _is_undone(session, entry):
            raise _leaves_deficit(missing)
        return returns.undo_at_till(
            session, entry.id, by=desk.actor, is_manager=desk.manages, store=desk.store, now=now
        )

    return _once(session, desk, form.key, f"undo {form.entry_id}", work, now=now)


def move(session: Session, desk: Desk, form: MoveForm, *, now: datetime) -> str:
    """Move a purchase to the card with that code, and return the new entry's id.

    Raises: Forbidden `needs_manager`; NotFound `unknown_transaction` or `unknown_code`; as `misplaced.move_sale`.
    """
    if not desk.manages:
        raise Forbidden("needs_manager", "Only a manager moves a purchase to another card.")

    def work() -> Done:
        entry = entry_at(session, desk, form.entry_id)
        right = card_at(session, desk, find(session, desk, form.code).serial)
        return misplaced.move_sale(session, entry.id, right, by=desk.actor, now=now, store=desk.store)

    return _once(session, desk, form.key, f"move {form.entry_id} {form.code}", work, now=now)


def take_back(session: Session, desk: Desk, entry_id: str, form: ReturnForm, *, now: datetime) -> str:
    """Return a sale or a part of it, and return the counter-entry's id.

    Raises: Conflict `leaves_deficit`, if the card would owe more than the cashier was shown; NotFound
    `unknown_transaction`; as `counter.returns.reverse` and `ReturnForm.returned`.
    """

    def work() -> Done:
        entry = entry_at(session, desk, entry_id)
        returned = form.returned
        held.by_id(session, entry.card_id)
        points = reversals.would_take(session, entry, returned)
        missing = returning.owed_after(session, entry, points)
        if missing > form.owed_shown:
            raise _leaves_deficit(missing)
        return returns.reverse(
            session, entry.id, reason="returned at the till", by=desk.actor, now=now, store=desk.store,
            returned=returned,
        )  # fmt: skip

    body = f"return {entry_id} {form.act} {sorted(form.pieces.items())} {form.amount}"
    return _once(session, desk, form.key, body, work, now=now)


def _leaves_deficit(missing: int) -> Conflict:
    return Conflict("leaves_deficit", "Some of these points were spent.", errors={"missing": str(missing)})


def _once(session: Session, desk: Desk, key: str, body: str, work: Callable[[], Done], *, now: datetime) -> str:
    return once(session, desk, key, body, lambda: work().entry.id, now=now)


def _is_undone(session: Session, entry: Entry) -> bool:
    return session.scalar(select(Entry.id).where(Entry.reverses_id == entry.id)) is not None
