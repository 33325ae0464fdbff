"""What a cashier sees of a card: enough to serve the customer, and nothing more about the person."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import people
from app.cards.models import Card, Store
from app.counter.returns import UNDO_WINDOW
from app.ledger import service as ledger
from app.ledger.models import Entry, Reward
from app.offers import service as offers
from app.offers.models import Offer

RECENT = 5
BIRTHDAY_NEARNESS = timedelta(days=3)


@dataclass(frozen=True, kw_only=True)
class OfferAtTill:
    """An offer that stands on the card; `refusal` is the code why it cannot be used now."""

    offer: Offer
    title: str
    refusal: str | None


@dataclass(frozen=True, kw_only=True)
class TillView:
    """One card at one till at one moment. `undoable`: what this cashier's undo key would undo."""

    card: Card
    initials: str
    short_name: str
    tier: str | None
    tier_color: str | None
    balance: int
    deficit: int
    rewards: tuple[Reward, ...]
    next_reward: Reward | None
    offers: tuple[OfferAtTill, ...]
    birthday_week: bool
    recent: tuple[Entry, ...]
    undoable: Entry | None


def at_till(session: Session, card: Card, *, store: Store | None, actor: str, language: str, now: datetime) -> TillView:
    """Gather what the till shows for a scanned card; *actor* is the cashier's name as it stands in entries."""
    person = people.of(session, card.member)
    balance = ledger.balance_of(session, card.member_id)
    catalogue = ledger.rewards(session, card.programme_id)
    recent = ledger.history(session, card.id, limit=RECENT)
    return TillView(
        card=card,
        initials=people.initials(person.name, card.member.language),
        short_name=people.short_name(person.name),
        tier=(card.tier.texts.get(language) or card.tier.name) if card.tier else None,
        tier_color=card.tier.background_color if card.tier else None,
        balance=balance,
        deficit=ledger.deficit_of(session, card.member_id),
        rewards=tuple(sorted((r for r in catalogue if r.points <= balance), key=lambda r: -r.points)),
        next_reward=next((r for r in catalogue if r.points > balance), None),
        offers=_offers(session, card, language, now),
        birthday_week=_near_birthday(person.birthday, now, store.timezone if store else card.programme.timezone),
        recent=tuple(recent),
        undoable=_undoable(session, recent, store, actor, now),
    )


def _offers(session: Session, card: Card, language: str, now: datetime) -> tuple[OfferAtTill, ...]:
    seen = [
        OfferAtTill(
            offer=offer,
            title=offers.words(offer, language)[0],
            refusal=offers.refusal(session, offer, card, now=now),
        )
        for offer in offers.live_for(session, card, now=now)
    ]
    return tuple(sorted(seen, key=lambda one: one.refusal is not None))


def _near_birthday(birthday: str | None, now: datetime, zone: str) -> bool:
    if not birthday:
        return False
    today = now.astimezone(ZoneInfo(zone)).date()
    days = (today + timedelta(days=offset) for offset in range(-BIRTHDAY_NEARNESS.days, BIRTHDAY_NEARNESS.days + 1))
    near = {day.strftime("%m-%d") for day in days}
    return birthday in near or (birthday == "02-29" and "02-28" in near)


def _undoable(session: Session, recent: list[Entry], store: Store | None, actor: str, now: datetime) -> Entry | None:
    undone = {entry.reverses_id for entry in recent}
    for entry in recent:
        if entry.kind == "reverse" or entry.id in undone:
            continue
        mine = entry.actor == actor and entry.store_id == (store.id if store else None)
        return entry if mine and now - entry.recorded_at <= UNDO_WINDOW and not _reversed(session, entry) else None
    return None


def _reversed(session: Session, entry: Entry) -> bool:
    return session.scalar(select(Entry.id).where(Entry.reverses_id == entry.id)) is not None
