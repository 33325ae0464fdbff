"""Opening a card or a sale: by what was scanned, typed, or stands in the page's address."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from app.cards import codes, people
from app.cards import service as cards
from app.cards.models import Card
from app.counter import misplaced
from app.coupons import codes as coupon_codes
from app.coupons import service as coupons
from app.errors import AppError, Conflict, Forbidden, NotFound, Unprocessable
from app.ledger import held
from app.ledger.held import Held
from app.ledger.models import Entry
from app.till import queries
from app.till.desk import Desk
from app.till.forms import LONGEST_RECEIPT
from app.till.rules import SERIAL

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

    @property
    def kind(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Found:
    """A card to open, a sale to return, or a unique code as typed. `is_gift`: the card pays and earns nothing."""

    serial: str = ""
    is_gift: bool = False
    sale: str = ""
    code: str = ""


def find(session: Session, desk: Desk, text: str) -> Found:
    """What was scanned or typed: a card's code, a unique code, a member's e-mail address or phone number, or a receipt.

    A text that is shaped like a card's code and is none is answered without looking anything up. What could be both is
    a card if there is one.

    Raises: Unprocessable `not_a_code`, NotFound `unknown_code`, Conflict `void_card`.
    """
    text = text.strip()
    number = codes.normalise(text)
    card: Identified | None = None
    unknown: AppError = NotFound("unknown_code", "Card not found.")
    if number is not None:
        card = session.execute(queries.NUMBERED, {"number": number, "programme_id": desk.programme.id}).one_or_none()
    elif _is_contact(text):
        card, unknown = _by_contact(session, desk, text, unknown)
    elif _is_shaped(text) or not _is_receipt(text):
        raise _not_a_code()
    elif coupon_codes.normalise(text) is None:
        unknown = _not_a_code()
    if card is not None:
        return Found(serial=_active(card).serial, is_gift=card.kind == "gift")
    if _is_coupon(session, desk, text):
        return Found(code=text)
    sales = _sales(session, desk, text) if _is_receipt(text) else []
    if len(sales) == 1:
        return Found(sale=sales[0].id)
    raise unknown


def card_at(session: Session, desk: Desk, serial: str) -> Card:
    """The card of a page's address.

    Raises: NotFound `unknown_code`, also for another programme's card; Conflict `void_card`.
    """
    card = session.scalars(queries.card_of(desk.programme.id, serial)).one_or_none() if _is_serial(serial) else None
    if card is None:
        raise NotFound("unknown_code", "Card not found.")
    return _active(card)


def entry_at(session: Session, desk: Desk, entry_id: str) -> Entry:
    """An entry of this programme.

    Raises: NotFound `unknown_transaction`.
    """
    entry = session.get(Entry, entry_id)
    if entry is None or entry.programme_id != desk.programme.id:
        raise NotFound("unknown_transaction", "There is no such transaction.")
    return entry


def sale_of(session: Session, desk: Desk, receipt: str | None, *, serial: str = "") -> Entry:
    """The sale with this receipt number: of this store, else of the only other store that has it.

    Raises: NotFound `unknown_receipt`; Forbidden `other_card`, if it was earned on another card than *serial*.
    """
    sales = _sales(session, desk, receipt) if receipt else []
    if len(sales) != 1:
        raise NotFound("unknown_receipt", "There is no sale with this receipt number.")
    if serial and session.get_one(Card, sales[0].card_id).serial != serial:
        raise Forbidden("other_card", "This receipt belongs to another card.")
    return sales[0]


def held_at(session: Session, desk: Desk, serial: str) -> Held:
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


def _sales(session: Session, desk: Desk, receipt: str) -> list[Entry]:
    stores = {0, *(row[0] for row in session.execute(queries.store_names(desk.programme.id)))}
    booked = session.scalars(queries.sales_of_receipt(desk.programme.id, stores, receipt)).all()
    found = [misplaced.now_at(session, entry) for entry in booked]
    return [entry for entry in found if entry.store_id == (desk.store.id if desk.store else None)] or found


def _is_coupon(session: Session, desk: Desk, text: str) -> bool:
    if coupon_codes.normalise(text) is None:
        return False
    try:
        coupons.find(session, desk.programme.id, text)
    except NotFound:
        return False
    return True


def _not_a_code() -> Unprocessable:
    return Unprocessable("not_a_code", "This is not a card code. Check it for a typing mistake.")


def _is_shaped(text: str) -> bool:
    """Whether it was meant as a card's code."""
    bare = text.upper().translate(codes.SEPARATORS)
    return bare.startswith(codes.PREFIX) or len(bare) == codes.SYMBOLS + 1


def _is_receipt(text: str) -> bool:
    return 0 < len(text) <= LONGEST_RECEIPT and text.isprintable()


def _is_serial(serial: str) -> bool:
    return SERIAL.fullmatch(serial) is not None


def _is_contact(text: str) -> bool:
    if len(text) > LONGEST_SEARCH or not text.isprintable():
        return False
    digits = sum(c.isdigit() for c in text)
    return "@" in text or (digits >= PHONE_DIGITS and all(c in "0123456789+()-./ " for c in text))


def _by_contact(session: Session, desk: Desk, text: str, unknown: AppError) -> tuple[Card | None, AppError]:
    """The card with that contact, and how the text is refused if it is no receipt's number either."""
    region = REGION_BY_LANGUAGE.get(desk.programme.language, "GB")
    wanted = {"email": text} if "@" in text else {"phone": text}
    try:
        person = people.checked("-", region=region, **wanted)
    except AppError:
        return None, _not_a_code()
    return cards.by_contact(session, desk.programme, person), unknown
