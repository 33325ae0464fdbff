"""Cards that belong to nobody by name: made one by one or in batches, stopped, let go on, and replaced."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app import ids
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.outbox.service import Lane
from app.value.models import Batch, ValueCard

KINDS = ("bearer", "gift")
LARGEST_BATCH = 500
LONGEST_NAME = 60


@dataclass(frozen=True, kw_only=True)
class NewBatch:
    """Cards to be made together. `kind`: bearer or gift; `name`: for the people who print them."""

    kind: str
    name: str
    size: int


def issue(
    session: Session, programme: Programme, kind: str, *, source: str, now: datetime, batch_id: int | None = None
) -> Card:
    """Make a card without a person.

    Raises: Conflict `programme_closed`.
    """
    if programme.status != "live":
        raise Conflict("programme_closed", "This programme issues no new cards at the moment.")
    return make(session, programme, kind, source=source, now=now, batch_id=batch_id)


def make(
    session: Session, programme: Programme, kind: str, *, source: str, now: datetime, batch_id: int | None = None
) -> Card:
    """As `issue`, also in a programme that has ended: what is on a lost card is owed all the same."""
    card = cards.enrol_anonymous(session, programme, kind, source=source, now=now)
    session.add(ValueCard(card_id=card.id, programme_id=programme.id, batch_id=batch_id))
    session.flush()
    return card


def make_batch(session: Session, programme: Programme, new: NewBatch, *, by: str, now: datetime) -> Batch:
    """Make many cards for printing.

    Raises: Unprocessable `invalid_batch`; Conflict `programme_closed`.
    """
    errors: dict[str, str] = {}
    if new.kind not in KINDS:
        errors["kind"] = "A card without a person is a bearer or a gift card."
    if not 1 <= new.size <= LARGEST_BATCH:
        errors["size"] = Sentence("A batch has 1 to %(most)s cards.", most=LARGEST_BATCH)
    name = " ".join(new.name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        errors["name"] = Sentence("A batch has a name of 1 to %(most)s characters.", most=LONGEST_NAME)
    if errors:
        raise Unprocessable("invalid_batch", " ".join(errors.values()), errors=errors)
    batch = Batch(
        public_id=ids.public_id("bat"), programme_id=programme.id, kind=new.kind, name=name, size=new.size,
        made_by=by, made_at=now,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    for _number in range(new.size):
        issue(session, programme, new.kind, source="batch", now=now, batch_id=batch.id)
    return batch


def batch_named(session: Session, public_id: str) -> Batch | None:
    """A batch by its id."""
    return session.scalars(select(Batch).where(Batch.public_id == public_id)).one_or_none()


def batches(session: Session, programme_id: int) -> list[Batch]:
    """A programme's batches, newest first."""
    return list(session.scalars(select(Batch).where(Batch.programme_id == programme_id).order_by(Batch.id.desc())))


def cards_of(batch: Batch) -> Select[Card]:
    """The cards of a batch as they were made."""
    wanted = select(Card).join(ValueCard, ValueCard.card_id == Card.id)
    return wanted.where(ValueCard.batch_id == batch.id).order_by(Card.id)


def kept(session: Session, card_id: int, programme_id: int) -> ValueCard:
    """What is kept of a card that is locked; made if it was never asked for."""
    found = session.get(ValueCard, card_id, populate_existing=True)
    if found is None:
        found = ValueCard(card_id=card_id, programme_id=programme_id, wrong_pins=0)
        session.add(found)
        session.flush()
    return found


def block(session: Session, card: Card, *, reason: str, by: str, now: datetime) -> bool:
    """Stop a locked card: nothing moves on it, and both wallets show that. False when it was stopped already.

    Raises: Conflict `void_card`, if it was replaced or its member is gone; Unprocessable `reason_missing`;
    `not_blockable`, if it is somebody's by name.
    """
    row = kept(session, card.id, card.programme_id)
    _check_here(card, row)
    if row.blocked_at is not None:
        return False
    row.block_reason = _reason(reason)
    row.blocked_at, row.blocked_by = now, by
    _turn(session, card, "voided", now)
    return True


def unblock(session: Session, card: Card, *, now: datetime) -> bool:
    """Let a stopped card go on. False when it was not stopped.

    Raises: Conflict `void_card`, if it was replaced.
    """
    row = kept(session, card.id, card.programme_id)
    _check_here(card, row)
    if row.blocked_at is None:
        return False
    row.blocked_at, row.blocked_by, row.block_reason = None, "", ""
    _turn(session, card, "active", now)
    return True


def retire(session: Session, card: Card, successor_id: int) -> None:
    """Close a locked card for good; *successor_id* has what it had. Its phones are told by whoever moved the units."""
    kept(session, card.id, card.programme_id).replaced_by_id = successor_id
    card.status = "voided"
    session.flush()


def successor(session: Session, card_id: int) -> int:
    """The card that has by now what this one had: itself, unless it was replaced, perhaps more than once."""
    following = session.scalar(select(ValueCard.replaced_by_id).where(ValueCard.card_id == card_id))
    while following is not None:
        card_id = following
        following = session.scalar(select(ValueCard.replaced_by_id).where(ValueCard.card_id == card_id))
    return card_id


def predecessors(session: Session, card_id: int) -> list[int]:
    """The cards whose units and history came to this one."""
    found: list[int] = []
    level = [card_id]
    while level:
        level = list(session.scalars(select(ValueCard.card_id).where(ValueCard.replaced_by_id.in_(level))))
        found += level
    return found


def of_kind(session: Session, number_kind: str, card: Card | None) -> Card:
    """The card, if it is of that kind.

    Raises: NotFound `unknown_card`.
    """
    if card is None or card.kind != number_kind:
        raise NotFound("unknown_card", "There is no such card.")
    session.refresh(card)
    return card


def _check_here(card: Card, row: ValueCard) -> None:
    if card.kind not in KINDS:
        raise Unprocessable("not_blockable", "This is a member's own card; erase the member, or replace the card.")
    if row.replaced_by_id is not None or card.status == "erased":
        raise Conflict("void_card", "This card was replaced; the new one has its money.")


def _reason(text: str) -> str:
    reason = " ".join(text.split())[:200]
    if not reason or not reason.isprintable():
        missing = "Say why, in a few words."
        raise Unprocessable("reason_missing", missing, errors={"reason": missing})
    return reason


def _turn(session: Session, card: Card, status: str, now: datetime) -> None:
    card.status = status
    session.flush()
    cards.touch(session, card, lane=Lane.URGENT, now=now)
