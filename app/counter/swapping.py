"""One card takes another's place: a lost one is replaced, and a card without a person becomes somebody's."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card, Programme
from app.cards.people import Person
from app.counter import left_behind, takeover
from app.counter.moves import Actor
from app.errors import Conflict, Unprocessable
from app.ledger import held as holding
from app.ledger.held import Held
from app.rewards import service as rewards
from app.value import pins, stock


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """The card that is good from now on, and its PIN if the lost one had one; it cannot be read again."""

    card: Card
    pin: str | None


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who a card is given to."""

    person: Person
    language: str
    consent: bool = False


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The card that somebody has now; `is_merged`: they had one already, and it took over everything."""

    card: Card
    is_merged: bool


def replace_card(session: Session, card_id: int, *, by: Actor, now: datetime, reason: str) -> Replaced:
    """Move everything from a lost gift or bearer card to a new one. The old number is dead at once; its history stays.

    A new card, not a new number on the old one: the lost phone would be brought up to the new number by itself.

    Raises: NotFound `unknown_card`; Conflict `void_card` or `open_holds`; Unprocessable `not_replaceable`.
    """
    old = _replaceable(session, card_id)
    before = stock.kept(session, old.id, old.programme_id)
    programme = session.get_one(Programme, old.programme_id)
    new = stock.make(session, programme, old.kind, source="replacement", now=now, batch_id=before.batch_id)
    row = session.get_one(Card, old.id)
    stock.retire(session, row, new.id)
    rewards.follow(session, old.id, new.id)
    pin = None
    if before.pin_digest is not None:
        pin = pins.give(session, stock.kept(session, new.id, programme.id), new.serial)
    takeover.begin(session, old, holding.by_id(session, new.id), reason=reason, by=by, now=now)
    return Replaced(card=_fresh(session, new), pin=pin)


def bind(session: Session, card_id: int, owner: Owner, *, by: Actor, now: datetime) -> Bound:
    """Give a card without a person to somebody, with all that is on it and all that it did.

    Whoever is known in the programme already keeps their card, which takes over what this one has.

    Raises: NotFound `unknown_card`; Conflict `void_card`, `already_personal`, `open_holds`, `left_behind` or
    `already_member`.
    """
    card = session.get_one(Card, card_id)
    known = cards.by_contact(session, session.get_one(Programme, card.programme_id), owner.person)
    wanted = sorted({card_id, known.id if known else card_id})
    held = {one: holding.by_id(session, one) for one in wanted}
    _check_bindable(held[card_id])
    session.refresh(card)
    if known is None or known.status != "active" or held[known.id].status != "active":
        cards.make_personal(
            session, card, owner.person, language=owner.language, consent=owner.consent, source="binding", now=now
        )
        return Bound(card=card, is_merged=False)
    left_behind.check_nothing(session, held[card_id], held[known.id], now=now)
    stock.retire(session, card, known.id)
    takeover.begin(session, held[card_id], held[known.id], reason="bound", by=by, now=now)
    return Bound(card=_fresh(session, known), is_merged=True)


def _replaceable(session: Session, card_id: int) -> Held:
    old = holding.by_id(session, card_id)
    if old.kind not in stock.KINDS:
        text = "Only a card without a person is replaced in this way."
        raise Unprocessable("not_replaceable", text, errors={"card": text})
    if old.status == "erased" or stock.successor(session, old.id) != old.id:
        raise Conflict("void_card", "This card was replaced already; the new one has its money.")
    _check_no_holds(old)
    return old


def _check_bindable(card: Held) -> None:
    if card.status != "active":
        raise Conflict("void_card", "This card is stopped or was replaced; ask for the new one.")
    if card.kind not in stock.KINDS:
        raise Conflict("already_personal", "This card is somebody's already.")
    _check_no_holds(card)


def _check_no_holds(card: Held) -> None:
    if any(role == "hold" and one.balance for (_unit, role), one in card.accounts.items()):
        raise Conflict("open_holds", "Something on this card is reserved; finish or release it first.")


def _fresh(session: Session, card: Card) -> Card:
    session.refresh(card)
    return card
