"""What happened on a card, for its holder: each line opens to why it is as much as it is, in their language."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import money
from app.cards.models import Card, Store
from app.enrolment.pages import moment
from app.i18n import text
from app.ledger import explain, words
from app.ledger.explain import Movement
from app.ledger.held import POINTS
from app.offers.models import Offer
from app.rewards.models import Reward

LINES = 50


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """One movement; `facts` are (label, value) pairs that open under it."""

    title: str
    day: str
    points: str
    is_gain: bool
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class History:
    """Movements, the newest first; `before` leads to older ones, if there are any."""

    lines: tuple[HistoryLine, ...]
    before: int | None


def history(db: Session, card: Card, language: str, *, before: int | None = None) -> History:
    """A page of a card's movements, of all units."""
    page = explain.page(db, card.id, before=before, limit=LINES)
    stores = {one.id: one.name for one in db.scalars(select(Store).where(Store.programme_id == card.programme_id))}
    titles = _titles(db, card, page.movements, language)
    zone = card.programme.timezone
    return History(
        lines=tuple(_line(one, stores, titles, language, zone) for one in page.movements), before=page.before
    )


def _titles(db: Session, card: Card, movements: tuple[Movement, ...], language: str) -> dict[str, str]:
    """Names of rewards and offers by the note under which they were used."""
    notes = {one.entry.note.partition(":")[::2] for one in movements}
    rewards = [name for kind, name in notes if kind == "reward"]
    offers = [name for kind, name in notes if kind == "offer"]
    found = {
        f"reward:{one.public_id}": one.texts.get(language) or one.name
        for one in db.scalars(
            select(Reward).where(Reward.public_id.in_(rewards), Reward.programme_id == card.programme_id)
        )
    }
    for offer in db.scalars(select(Offer).where(Offer.public_id.in_(offers))):
        found[f"offer:{offer.public_id}"] = offer.texts.get(language, {}).get("title") or offer.title
    return found


def _line(
    movement: Movement, stores: Mapping[int, str], titles: Mapping[str, str], language: str, zone: str
) -> HistoryLine:
    entry = movement.entry
    title = titles.get(entry.note) or words.kind(entry, language)
    if movement.unit != POINTS:
        title = f"{title} · {words.unit(movement.unit, language)}"
    return HistoryLine(
        title=title,
        day=str(format_date(entry.occurred_at.astimezone(ZoneInfo(zone)).date(), "d MMM y", locale=language)),
        points=words.signed(entry.points, movement.unit, language) or "0",
        is_gain=entry.points > 0,
        facts=(*_circumstances(movement, stores, language, zone), *words.facts(movement, language, zone)),
    )


def _circumstances(movement: Movement, stores: Mapping[int, str], language: str, zone: str) -> list[tuple[str, str]]:
    entry = movement.entry
    found = [(text(language, "When"), moment(entry.occurred_at, language, zone))]
    if entry.amount_minor is not None and entry.currency:
        found.append((text(language, "Amount"), money.shown(entry.amount_minor, entry.currency, language)))
    if store := stores.get(entry.store_id or 0):
        found.append((text(language, "Shop"), store))
    if entry.receipt:
        found.append((text(language, "Receipt"), entry.receipt))
    if entry.kind == "reverse" and entry.note:
        found.append((text(language, "Reason"), entry.note))
    return found
