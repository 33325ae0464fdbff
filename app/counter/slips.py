"""The slip of a movement: what was earned or used, how the card stands, and how to undo it. It names no member."""

from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from app import i18n, money
from app.cards.models import Card, Programme, Store
from app.counter.paper import Line
from app.ledger import expiry, words
from app.ledger.held import POINTS
from app.ledger.models import Account, Entry
from app.offers import service as offers
from app.offers.models import Offer
from app.rewards import catalogue
from app.rewards.models import Reward
from app.tiers import service as tiers
from app.tiers import standings
from app.tiers.rules import Metric

RULE = Line(is_rule=True)


def of_entry(session: Session, entry: Entry, *, now: datetime, language: str = "") -> list[Line]:
    """The slip of a movement, with what it moved in other units; in the member's language, unless another is named."""
    if entry.part_of_id is not None:
        entry = session.get_one(Entry, entry.part_of_id)
    wanted = select(Card).where(Card.id == entry.card_id)
    card = session.scalars(wanted.options(joinedload(Card.programme), joinedload(Card.member))).one()
    store = session.get(Store, entry.store_id) if entry.store_id else None
    zone = store.timezone if store else card.programme.timezone
    language = i18n.nearest(language or (card.member.language if card.kind == "loyalty" else card.programme.language))
    return [
        Line(left=card.programme.name, is_bold=True, is_centred=True),
        *([Line(left=store.name, is_centred=True)] if store else []),
        RULE,
        Line(
            left=i18n.text(language, "Card ····%(digits)s", digits=card.number[-4:]),
            right=_moment(entry.recorded_at, language, zone),
        ),
        *_moved(session, entry, card.programme, language),
        RULE,
        *_stands(session, card, language, zone, now),
        RULE,
        Line(left=i18n.text(language, "Undo reference")),
        Line(left=entry.id),
    ]


def _moved(session: Session, entry: Entry, programme: Programme, language: str) -> list[Line]:
    """What was bought, what was done, and each unit that moved."""
    parts = select(Entry).where(or_(Entry.id == entry.id, Entry.part_of_id == entry.id)).order_by(Entry.seq)
    lines = [Line(left=words.kind(entry, language), right=_amount(entry, language), is_bold=True)]
    if what := _what(session, entry, programme, language):
        lines.append(Line(left=what))
    if entry.receipt:
        lines.append(Line(left=i18n.text(language, "Receipt"), right=entry.receipt))
    for one in session.scalars(parts):
        if one.points:
            right = words.signed(one.points, one.unit, language)
            lines.append(Line(left=words.unit(one.unit, language), right=right))
    return lines


def _stands(session: Session, card: Card, language: str, zone: str, now: datetime) -> list[Line]:
    """The balances as of now, what ends next, and the way to the next tier."""
    query = select(Account.unit, Account.role, Account.balance).where(Account.member_id == card.member_id)
    stands = {(unit, role): balance or 0 for unit, role, balance in session.execute(query)}
    moment = _moment(now, language, zone)
    lines = [Line(left=i18n.text(language, "Balance as of %(time)s", time=moment), is_bold=True)]
    always = {card.programme.currency if card.kind == "gift" else POINTS}
    shown = always | {unit for (unit, role), amount in stands.items() if role == "avail" and amount} - {"uses"}
    for unit in sorted(shown, key=lambda one: (one != POINTS, one)):
        right = words.amount(stands.get((unit, "avail"), 0), unit, language)
        lines.append(Line(left=words.unit(unit, language), right=right))
    if owed := -stands.get((POINTS, "debt"), 0):
        lines.append(Line(left=i18n.text(language, "Owed"), right=words.amount(owed, POINTS, language)))
    return [*lines, *_ends(session, card, language, zone), *_tier(session, card, language, now)]


def _ends(session: Session, card: Card, language: str, zone: str) -> list[Line]:
    at, units = next(iter(expiry.ladder(session, card.member_id, POINTS)), (None, 0))
    if at is None:
        return []
    left = i18n.text(language, "Use by %(day)s", day=words.last_day(at, language, zone))
    return [Line(left=left, right=words.amount(units, POINTS, language))]


def _tier(session: Session, card: Card, language: str, now: datetime) -> list[Line]:
    if card.kind != "loyalty" or not card.programme.tiers:
        return []
    level = tiers.level_of(session, card, now=now)
    lines = [Line(left=i18n.text(language, "Level"), right=level.tier)] if level.tier else []
    missing = level.projection.to_next
    if missing:
        metric = standings.ladder_of(session, card.programme_id).policy.metric
        is_money = metric is Metric.SPEND
        left = {
            Metric.SPEND: i18n.text(language, "To the next level"),
            Metric.EARNED: i18n.text(language, "Points to the next level"),
            Metric.VISITS: i18n.text(language, "Visits to the next level"),
        }[metric]
        unit = card.programme.currency if is_money else POINTS
        lines.append(Line(left=left, right=words.amount(missing, unit, language)))
    return lines


def _amount(entry: Entry, language: str) -> str:
    if entry.amount_minor is None or entry.currency is None:
        return ""
    return money.shown(entry.amount_minor, entry.currency, language)


def _what(session: Session, entry: Entry, programme: Programme, language: str) -> str:
    """The reward or offer that was used."""
    kind, _, name = entry.note.partition(":")
    if kind == "reward":
        reward = session.scalars(select(Reward).where(Reward.public_id == name)).one_or_none()
        return catalogue.name_in(reward, language) if reward and reward.programme_id == programme.id else ""
    if kind == "offer":
        offer = session.scalars(select(Offer).where(Offer.public_id == name)).one_or_none()
        return offers.words(offer, language)[0] if offer and offer.programme_id == programme.id else ""
    return ""


def _moment(at: datetime, language: str, zone: str) -> str:
    return str(format_datetime(at, "d MMM y HH:mm", tzinfo=ZoneInfo(zone), locale=language))
