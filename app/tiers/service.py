"""What a sale, a return and a hand do to a card's tier."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from app import localtime
from app.ledger.held import Held
from app.tiers import ladder as ladders
from app.tiers import standings
from app.tiers.ladder import METRICS, Ladder, Record

LATE = timedelta(days=3)  # a till without a connection keeps its sales for 72 hours


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
