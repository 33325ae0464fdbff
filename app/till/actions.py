"""What a cashier does: each once for each key, however often the button is pressed."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import failpoints, idempotency
from app.cards import codes, people
from app.cards import service as cards
from app.cards.models import Card
from app.counter import offering, returns, rewarding, sales
from app.counter.moves import Done
from app.counter.sales import Sale
from app.errors import AppError, Conflict, Forbidden, NotFound, Unprocessable
from app.ledger import held
from app.ledger import service as ledger
from app.ledger.held import Held
from app.ledger.models import Entry, Reward
from app.offers import service as offers
from app.till import queries
from app.till.desk import Desk
from app.till.forms import EarnForm, RedeemForm, UndoForm
from app.till.rules import SERIAL, sale_limit_minor

C = TypeVar("C", bound="Identified")
REGION_BY_LANGUAGE = {"tr": "TR", "id": "ID"}
PHONE_DIGITS = 9
LONGEST_SEARCH = 254


class Identified(Protocol):
    """A card, as far as a till must know it to open it."""

    @property
    def serial(self) -> str: ...

    @property
    def status(self) -> str: ...


def find(session: Session, desk: Desk, text: str) -> str:
    """The serial of the card that was scanned or typed, or whose member has this e-mail address or phone number.

    A text that cannot be a card number is answered without looking anything up.

    Raises: Unprocessable `not_a_code` (nothing was looked up), NotFound `unknown_code`, Conflict `void_card`.
    """
    text = text.strip()
    number = codes.normalise(text)
    if number is not None:
        wanted = {"number": number, "programme_id": desk.programme.id}
        card: Identified | None = session.execute(queries.NUMBERED, wanted).one_or_none()
    elif _is_contact(text):
        card = _by_contact(session, desk, text)
    else:
        raise Unprocessable("not_a_code", "This is not a card code. Check it for a typing mistake.")
    if card is None:
        raise NotFound("unknown_code", "Card not found.")
    return _active(card).serial


def card_at(session: Session, desk: Desk, serial: str) -> Card:
    """The card of a page's address.

    Raises: NotFound `unknown_code`, also for another programme's card; Conflict `void_card`.
    """
    card = session.scalars(queries.card_of(desk.programme.id, serial)).one_or_none() if _is_serial(serial) else None
    if card is None:
        raise NotFound("unknown_code", "Card not found.")
    return _active(card)


def earn(session: Session, desk: Desk, serial: str, form: EarnForm, *, now: datetime) -> str:
    """Book a purchase and return the entry's id.

    Raises: Forbidden `needs_manager` above the limit of a cashier; as `counter.sales.earn`.
    """
    if not isinstance(form.amount, int):
        raise Unprocessable("amount_unclear", "Choose which amount is meant.")
    amount = form.amount
    if amount > sale_limit_minor(desk.programme.currency) and not desk.manages:
        raise Forbidden("needs_manager", "This amount needs a manager.")

    def work() -> Done:
        card = _held(session, desk, serial)
        sale = Sale(amount_minor=amount, currency=desk.programme.currency, receipt=form.receipt, store=desk.store)
        return sales.earn(session, card, sale, by=desk.actor, now=now)

    return _once(session, desk, form.key, f"earn {serial} {amount} {form.receipt}", work, now=now)


def redeem(session: Session, desk: Desk, serial: str, form: RedeemForm, *, now: datetime) -> str:
    """Use points, a reward or an offer, and return the entry's id.

    Raises: NotFound `unknown_reward` or `unknown_offer`; as `counter.rewarding.redeem_…`.
    """

    def work() -> Done:
        card = _held(session, desk, serial)
        if form.reward:
            reward = _reward(session, desk, form.reward)
            return rewarding.redeem_reward(
                session, card, reward, by=desk.actor, now=now, store=desk.store, receipt=form.receipt
            )
        if form.offer:
            offer = offers.by_id(session, form.offer)
            return offering.redeem_offer(
                session, card, offer, by=desk.actor, now=now, store=desk.store, receipt=form.receipt
            )
        points = form.points or 0
        return rewarding.redeem_points(
            session, card, points, by=desk.actor, now=now, store=desk.store, receipt=form.receipt
        )

    body = f"redeem {serial} {form.points} {form.reward} {form.offer} {form.receipt}"
    return _once(session, desk, form.key, body, work, now=now)


def undo(session: Session, desk: Desk, form: UndoForm, *, now: datetime) -> str:
    """Undo an entry and return the counter-entry's id.

    Raises: Conflict `leaves_deficit`, unless confirmed, with the missing points as `errors["missing"]`; NotFound
    `unknown_transaction`; as `counter.returns.undo_at_till`.
    """

    def work() -> Done:
        entry = entry_at(session, desk, form.entry_id)
        missing = missing_after_undo(session, entry)
        if missing and not form.confirmed and not _is_undone(session, entry):
            raise Conflict("leaves_deficit", "Some of these points were spent.", errors={"missing": str(missing)})
        return returns.undo_at_till(
            session, entry.id, by=desk.actor, is_manager=desk.manages, store=desk.store, now=now
        )

    return _once(session, desk, form.key, f"undo {form.entry_id}", work, now=now)


def entry_at(session: Session, desk: Desk, entry_id: str) -> Entry:
    """An entry of this programme.

    Raises: NotFound `unknown_transaction`.
    """
    entry = session.get(Entry, entry_id)
    if entry is None or entry.programme_id != desk.programme.id:
        raise NotFound("unknown_transaction", "There is no such transaction.")
    return entry


def missing_after_undo(session: Session, entry: Entry) -> int:
    """Points of an earn that were spent since, and would be owed after undoing it."""
    if entry.kind != "earn":
        return 0
    card = session.get_one(Card, entry.card_id)
    return max(0, entry.points - ledger.balance_of(session, card.member_id))


def _once(session: Session, desk: Desk, key: str, body: str, work: Callable[[], Done], *, now: datetime) -> str:
    scope = f"{idempotency.KEPT_FOR_EVER}:till:{desk.who.id}"
    digest = idempotency.request_hash("POST", str(desk.choice), body.encode())
    replay = idempotency.begin(session, scope, key, digest, now=now)
    if replay is not None:
        return replay.answer
    failpoints.reached("sale.begun")
    entry_id = work().entry.id
    idempotency.finish(session, scope, key, status=201, answer=entry_id)
    failpoints.reached("sale.before_commit")
    return entry_id


def _held(session: Session, desk: Desk, serial: str) -> Held:
    """The card of a page's address, locked; refused as `card_at` does."""
    unknown = NotFound("unknown_code", "Card not found.")
    if not _is_serial(serial):
        raise unknown
    try:
        card = held.by_serial(session, serial)
    except NotFound:
        raise unknown from None
    if card.programme_id != desk.programme.id:
        raise unknown
    return _active(card)


def _active(card: C) -> C:
    if card.status != "active":
        raise Conflict("void_card", "This card was replaced. Ask for the new one.")
    return card


def _reward(session: Session, desk: Desk, public_id: str) -> Reward:
    wanted = select(Reward).where(Reward.public_id == public_id, Reward.programme_id == desk.programme.id)
    reward = session.scalars(wanted).one_or_none()
    if reward is None:
        raise NotFound("unknown_reward", "There is no such reward.")
    return reward


def _is_undone(session: Session, entry: Entry) -> bool:
    return session.scalar(select(Entry.id).where(Entry.reverses_id == entry.id)) is not None


def _is_serial(serial: str) -> bool:
    return SERIAL.fullmatch(serial) is not None


def _is_contact(text: str) -> bool:
    if len(text) > LONGEST_SEARCH or not text.isprintable():
        return False
    digits = sum(c.isdigit() for c in text)
    return "@" in text or (digits >= PHONE_DIGITS and all(c in "0123456789+()-./ " for c in text))


def _by_contact(session: Session, desk: Desk, text: str) -> Card | None:
    region = REGION_BY_LANGUAGE.get(desk.programme.language, "GB")
    wanted = {"email": text} if "@" in text else {"phone": text}
    try:
        person = people.checked("-", region=region, **wanted)
    except AppError:
        raise Unprocessable("not_a_code", "This is not a card code. Check it for a typing mistake.") from None
    return cards.by_contact(session, desk.programme, person)
