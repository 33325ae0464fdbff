"""What a sale, a return and a hand do to a card's tier."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import localtime
from app.cards import service as cards
from app.cards import texts
from app.cards.models import Card
from app.errors import Conflict, Unprocessable
from app.ledger.held import Held
from app.outbox.service import Lane
from app.tiers import ladder as ladders
from app.tiers import standings
from app.tiers.ladder import METRICS, Ladder, Record
from app.tiers.models import CardStanding
from app.tiers.rules import Grant, Projection

LATE = timedelta(days=3)  # a till without a connection keeps its sales for 72 hours
GRANT_MAX = timedelta(days=3660)
REASON_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Granting:
    """A tier given by hand, through its last day in the programme's zone. `by`: as the audit log names them."""

    tier_id: int
    until: date
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Given:
    """A tier given by hand that holds today."""

    tier: str
    until: date
    reason: str


@dataclass(frozen=True, kw_only=True)
class LevelNow:
    """How a card stands today. `valid_to` None: for ever, or no tier. `metric`: minor units, points or visits."""

    tier: str | None
    valid_to: date | None
    metric: int
    grant: Given | None
    projection: Projection


def after_sale(
    session: Session, card: Held, *, spend_minor: int, earned: int, visits: int, at: datetime, now: datetime
) -> Held:
    """Count a sale, or what is brought back of one, and say which tier the card has now.

    The caller writes the card; the next sale earns by the new tier. Two statements, three where the standing changes.

    Args:
        spend_minor: what was spent, net of discounts; below zero for a return.
        earned: points by base rules, without bonuses; below zero for a return.
        at: when the sale was made; for a return, the sale that it undoes: its month is the one that is reduced.
    """
    if card.kind == "gift":
        return card
    ladder, before = standings.of_card(session, card.id, card.programme_id)
    today, day = ladder.today(now), localtime.wall_clock(at, ladder.zone).date()
    figures = spend_minor, earned, visits
    is_gain = figures[METRICS.index(ladder.policy.metric)] >= 0
    after = _counted(session, card.id, before, figures, min(day, today).replace(day=1))
    if is_gain:
        now_so = ladders.settled(ladder, after, today, day=day if today - LATE <= day < today else None)
    else:
        now_so = ladders.returned(ladder, before, after, today)
    if now_so.differs(before):
        standings.write(session, ladder, card.programme_id, [(card.id, now_so)])
    return _shown(card, ladder, now_so, today)


def _counted(session: Session, card_id: int, record: Record, figures: tuple[int, int, int], month: date) -> Record:
    """Add to a month. What comes back of a sale before the first month known is taken from that: there it was counted
    when cards had no months yet."""
    by_month = {known: (spend, points, times) for known, spend, points, times in record.months}
    if min(figures) < 0 and by_month:
        month = max(month, min(by_month))
    if any(figures):
        standings.count(session, card_id, month, figures)
    spend_minor, earned, visits = by_month.get(month, (0, 0, 0))
    by_month[month] = spend_minor + figures[0], earned + figures[1], visits + figures[2]
    return replace(record, months=tuple((at, *values) for at, values in by_month.items()))


def _shown(card: Held, ladder: Ladder, record: Record, today: date) -> Held:
    tier = ladders.shown(ladder, record, today)
    place = ladder.place(tier.id) if tier else -1
    higher = ladder.thresholds[place + 1 :]
    return replace(
        card,
        tier=tier,
        qualifying_minor=ladders.metric_of(ladder, record, today),
        next_threshold_minor=higher[0] if higher else None,
    )


def projection_of(session: Session, card: Card, *, now: datetime) -> Projection:
    """What a member is missing to keep the tier and to reach the next, and by which days."""
    ladder, record = standings.of_card(session, card.id, card.programme_id)
    today = ladder.today(now)
    return ladders.projected(ladder, ladders.settled(ladder, record, today), today)


def level_of(session: Session, card: Card, *, now: datetime) -> LevelNow:
    """How a card stands today, in names and days."""
    ladder, record = standings.of_card(session, card.id, card.programme_id)
    today = ladder.today(now)
    record = ladders.settled(ladder, record, today)
    tier = ladders.shown(ladder, record, today)
    given = None
    if record.grant and (by_hand := ladder.tier(record.grant.place)):
        reason = session.scalar(select(CardStanding.granted_reason).where(CardStanding.card_id == card.id)) or ""
        given = Given(tier=by_hand.name, until=record.grant.to, reason=reason)
    return LevelNow(
        tier=tier.name if tier else None,
        valid_to=ladders.lasts_to(record, today),
        metric=ladders.metric_of(ladder, record, today),
        grant=given,
        projection=ladders.projected(ladder, record, today),
    )


def grant(session: Session, card: Card, granting: Granting, *, now: datetime) -> None:
    """Give a card a tier by hand, through the last day named; evaluation does not take it before.

    What the member earns goes on beneath it, and is what the card shows when the grant is over. A second one takes the
    place of the first.

    Raises: Conflict `card_not_active` or `tier_not_higher`; Unprocessable `invalid_grant`.
    """
    card = cards.lock(session, card.id)
    if card.status != "active" or card.kind == "gift":
        raise Conflict("card_not_active", "This card is no longer valid; ask the customer for the new one.")
    ladder, record = standings.of_card(session, card.id, card.programme_id)
    today = ladder.today(now)
    place = _judged(granting, ladder, today)
    now_so = ladders.settled(ladder, record, today)
    if place < now_so.standing.place:
        raise Conflict("tier_not_higher", "The card has earned a higher tier than this by itself.")
    given = ladders.settled(ladder, replace(now_so, grant=Grant(place=place, to=granting.until)), today)
    standings.write(session, ladder, card.programme_id, [(card.id, given)])
    why = {"granted_reason": granting.reason.strip(), "granted_by": granting.by}
    session.execute(update(CardStanding).where(CardStanding.card_id == card.id).values(**why))
    _show(session, ladder, card, given, now)


def take_grant_back(session: Session, card: Card, *, now: datetime) -> bool:
    """End a tier that was given by hand before its day; False if there is none."""
    card = cards.lock(session, card.id)
    ladder, record = standings.of_card(session, card.id, card.programme_id)
    if record.grant is None:
        return False
    without = ladders.settled(ladder, replace(record, grant=None), ladder.today(now))
    standings.write(session, ladder, card.programme_id, [(card.id, without)])
    _show(session, ladder, card, without, now)
    return True


def _judged(granting: Granting, ladder: Ladder, today: date) -> int:
    """The place of the tier to be given, if everything else is right too."""
    errors: dict[str, str] = {}
    place = ladder.place(granting.tier_id)
    if place < 0:
        errors["tier"] = "There is no such tier in this programme."
    if not today <= granting.until <= today + GRANT_MAX:
        errors["until"] = "A tier is given until a day from today on, ten years at most."
    if not 3 <= len(granting.reason.strip()) <= REASON_CHARACTERS or not texts.is_showable(granting.reason):
        errors["reason"] = "Say why, in 3 to 200 characters."
    if errors:
        raise Unprocessable("invalid_grant", " ".join(errors.values()), errors=errors)
    return place


def _show(session: Session, ladder: Ladder, card: Card, record: Record, now: datetime) -> None:
    today = ladder.today(now)
    tier = ladders.shown(ladder, record, today)
    card.tier_id = tier.id if tier else None
    card.qualifying_minor = ladders.metric_of(ladder, record, today)
    session.flush()
    cards.touch(session, card, lane=Lane.URGENT, now=now)
