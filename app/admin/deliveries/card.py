"""Why is this card not up to date? One card's wallets, and everything that happened to it in order."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.admin import words
from app.admin.deliveries import traces
from app.admin.texts import gettext
from app.cards import codes, people
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.delivery import queries
from app.delivery.queries import Why
from app.errors import AppError
from app.i18n import page_language
from app.ledger import service as ledger
from app.ledger import words as movements
from app.ledger.models import Entry
from app.outbox.models import SendLog
from app.wallets.apple.models import Device, Registration
from app.wallets.google.models import GoogleObject

EVENTS = 60


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened; `tone` as in the timeline."""

    at: datetime
    title: str
    text: str
    tone: str = ""
    trace: str = ""


def find(session: Session, text: str, programmes: list[Programme]) -> Card | None:
    """The card meant by its number, serial or link, by its holder's contact, or by a request that changed it."""
    ids = [one.id for one in programmes]
    wanted = " ".join(text.split())
    if not wanted or len(wanted) > 200 or not wanted.isprintable():
        return None
    by_number = cards.by_number(session, wanted)
    if by_number is not None and by_number.programme_id in ids:
        return by_number
    named = (Card.serial == wanted) | (Card.link == wanted)
    found = session.scalars(select(Card).where(Card.programme_id.in_(ids), named).limit(1)).one_or_none()
    if found is None and (traced := traces.card_of(session, wanted)) is not None and traced.programme_id in ids:
        return traced
    return found or _by_contact(session, wanted, programmes)


def wallets(session: Session, card: Card, *, now: datetime) -> list[Why]:
    """How far each wallet that holds the card is."""
    return queries.why(session, card.id, programme_id=card.programme_id, version=card.version, now_ms=milliseconds(now))


def events(session: Session, card: Card, held: list[Why]) -> list[Event]:
    """What happened to the card and to its copies on phones, newest first.

    Of pushes of bulk changes only the last is known: they are not logged one by one.
    """
    found = [_entry(one) for one in ledger.history(session, card.id, limit=EVENTS)]
    found += [_send(one) for one in queries.recent(session, card_id=card.id, limit=EVENTS)]
    found += [_fetch(one) for one in held if one.fetched_at is not None]
    registered = select(Registration.created_at).join(Device).where(Registration.card_id == card.id)
    found += [
        Event(at=at, title=gettext("Added to Apple Wallet"), text="", tone="good") for at in session.scalars(registered)
    ]
    saved = select(GoogleObject.saved_at).where(GoogleObject.card_id == card.id, GoogleObject.saved_at.is_not(None))
    found += [
        Event(at=at, title=gettext("Added to Google Wallet"), text="", tone="good")
        for at in session.scalars(saved)
        if at is not None
    ]
    found.append(Event(at=card.created_at, title=gettext("Joined"), text=card.member.source))
    return sorted(found, key=lambda one: one.at, reverse=True)[:EVENTS]


def number(card: Card) -> str:
    return codes.grouped(card.number)


def _by_contact(session: Session, text: str, programmes: list[Programme]) -> Card | None:
    for programme in programmes:
        try:
            contact = {"email": text} if "@" in text else {"phone": text}
            person = people.checked("?", **contact)
        except AppError:
            return None
        if found := cards.by_contact(session, programme, person):
            return found
    return None


def _entry(entry: Entry) -> Event:
    language = page_language()
    change = movements.signed(entry.points, entry.unit, language) if entry.unit != ledger.USES else ""
    title = f"{movements.kind(entry, language)} {change}".strip()
    text = gettext("Card version %(version)d, through %(channel)s", version=entry.card_version, channel=entry.channel)
    return Event(at=entry.recorded_at, title=title, text=text, trace=entry.trace)


def _send(log: SendLog) -> Event:
    tones = {"delivered": "good", "try_again": "warn", "refused": "bad"}
    title = f"{words.channel(log.channel)}: {words.outcome(log.outcome)}"
    text = gettext(
        "Version %(version)d. %(answer)s Took %(took)d ms.",
        version=log.version,
        answer=words.answer(log.channel, log.status, log.reason),
        took=log.took_ms,
    )
    at = datetime.fromtimestamp(log.at / 1000, UTC)
    return Event(at=at, title=title, text=text, tone=tones.get(log.outcome, ""), trace=log.trace)


def _fetch(one: Why) -> Event:
    text = gettext("Version %(version)d. A fetch names no phone, so this is a best effort.", version=one.fetched)
    at = one.fetched_at or datetime.fromtimestamp(0, UTC)
    return Event(at=at, title=gettext("Fetched by the phone"), text=text, tone="good")
