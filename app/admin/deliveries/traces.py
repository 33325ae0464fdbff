"""From the id of a till's request to the phone that fetched what it changed."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import trace as traces
from app.admin import words
from app.admin.texts import gettext
from app.cards.models import Card
from app.delivery.queries import Why
from app.ledger.models import Entry
from app.outbox.models import SendLog

BEFORE_MS = 5_000
WITHIN_MS = 120_000


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a change's way. `at` is None for one that has not happened yet."""

    title: str
    text: str
    tone: str
    at: datetime | None


def card_of(session: Session, name: str) -> Card | None:
    """The card that the request of this id changed.

    The id tells when the request came, so that entries and sends of those two minutes are looked at and no others.
    """
    begun_ms = traces.moment_ms(name.lower())
    if begun_ms is None:
        return None
    first, last = (f"txn_{max(0, ms):012x}" for ms in (begun_ms - BEFORE_MS, begun_ms + WITHIN_MS))
    entry = select(Entry.card_id).where(Entry.id >= first, Entry.id < last, Entry.trace == name.lower())
    sent = select(SendLog.card_id).where(
        SendLog.at >= begun_ms - BEFORE_MS, SendLog.at < begun_ms + WITHIN_MS, SendLog.trace == name.lower()
    )
    found = session.scalar(entry.limit(1)) or session.scalar(sent.where(SendLog.card_id.is_not(None)).limit(1))
    return session.get(Card, found) if found else None


def way(session: Session, card: Card, name: str, wallets: list[Why]) -> list[Step]:
    """What became of a request on this card: entry, each wallet's send, each phone's fetch, in order."""
    begun_ms = traces.moment_ms(name.lower())
    entry = session.scalars(
        select(Entry).where(Entry.card_id == card.id, Entry.trace == name.lower()).order_by(Entry.id.desc()).limit(1)
    ).one_or_none()
    logged = session.scalars(
        select(SendLog).where(SendLog.card_id == card.id, SendLog.trace == name.lower()).order_by(SendLog.id).limit(50)
    ).all()
    if begun_ms is None or (entry is None and not logged):
        return []
    version = entry.card_version if entry else min(one.version for one in logged)
    steps = [Step(title=gettext("The request came"), text="", tone="", at=_at(begun_ms))]
    if entry is not None:
        text = gettext("Entry %(entry)s; the card became version %(version)d.", entry=entry.id, version=version)
        steps.append(Step(title=gettext("Written into the ledger"), text=text, tone="good", at=entry.recorded_at))
    for wallet in wallets:
        steps += _sends(session, wallet, version)
    never = datetime.max.replace(tzinfo=UTC)
    # the request is first whatever the clocks of two machines say
    return steps[:1] + sorted(steps[1:], key=lambda one: one.at or never)


def _sends(session: Session, wallet: Why, version: int) -> list[Step]:
    """The sends until the first that brought this version or a later one: changes close together share a send."""
    rows = session.scalars(
        select(SendLog)
        .where(SendLog.target_id == wallet.target_id, SendLog.version >= version)
        .order_by(SendLog.id)
        .limit(50)
    ).all()
    place = words.channel(wallet.channel)
    found: list[Step] = []
    for log in rows:
        text = words.answer(log.channel, log.status, log.reason)
        if log.version > version:
            text += " " + gettext("Sent together with later changes, as version %(version)d.", version=log.version)
        tone = {"delivered": "good", "try_again": "warn", "refused": "bad"}.get(log.outcome, "")
        found.append(Step(title=f"{place}: {words.outcome(log.outcome)}", text=text, tone=tone, at=_at(log.at)))
        if log.outcome == "delivered":
            break
    if wallet.done < version:
        text = gettext("It is said above why, and when the next try is.")
        return [*found, Step(title=gettext("%(wallet)s: not told yet", wallet=place), text=text, tone="warn", at=None)]
    if not any(step.tone == "good" for step in found) and wallet.told_at:
        found.append(Step(title=f"{place}: {words.outcome('delivered')}", text="", tone="good", at=wallet.told_at))
    return found + (_fetch(wallet, version, place) if wallet.channel == "apple" else [])


def _fetch(wallet: Why, version: int, place: str) -> list[Step]:
    if wallet.fetched < version:
        text = gettext("Apple took the push; the phone asks when it is awake and has a network.")
        return [Step(title=gettext("%(wallet)s: not fetched yet", wallet=place), text=text, tone="warn", at=None)]
    text = gettext(
        "It has version %(version)d. A fetch names no phone, so this is a best effort.", version=wallet.fetched
    )
    title = gettext("%(wallet)s: fetched by the phone", wallet=place)
    return [Step(title=title, text=text, tone="good", at=wallet.fetched_at)]


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
