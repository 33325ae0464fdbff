"""Who has stayed away for longer than they use to."""

from datetime import timedelta

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, literal, or_, select, type_coerce
from sqlalchemy.orm import Session

from app.campaigns.occasions import told
from app.campaigns.occasions.due import Asked, Due, Found
from app.cards.models import Card
from app.clock import milliseconds
from app.habits.models import Habit

DAY_MS = 86_400_000
# a step that was due for longer is left out; the next one is said
LATE_DAYS = 14


def win_back(session: Session, asked: Asked) -> Found:
    """Cards that have bought nothing for the days of a step, at most three of them; a purchase begins anew.

    The first step comes after twice the usual gap of the member, if that is longer, and the others as much later.
    """
    steps = sorted(asked.trigger.wholes("days"))
    query = (
        select(Card.id, Habit.last_at, Habit.median_gap_days)
        .join(Habit, Habit.card_id == Card.id)
        .where(*asked.cards, Habit.programme_id == asked.programme_id, _is_away(asked, steps))
    )
    rows = session.execute(query.order_by(Card.id).limit(asked.limit)).all()
    cards = [row.id for row in rows]
    said = told.of_cards(session, [asked.campaign_id], cards)
    due = []
    for card, last_at, gap in rows:
        last_on = asked.day_of(last_at or asked.now)
        step = _step(steps, gap, (asked.today - last_on).days)
        occasion = f"win_back:{last_on.isoformat()}:{step}"
        if step is not None and all(occasion != one for one, _at in said.get(card, ())):
            due.append(Due(card_id=card, occasion=occasion, local=asked.local(asked.today)))
    return asked.found(due, cards)


def _step(steps: list[int], gap: int | None, away_days: int) -> int | None:
    """The last step that is due, if it was due within the last days."""
    later = max(0, 2 * (gap or 0) - steps[0])
    due = [days for days in steps if days + later <= away_days < days + later + LATE_DAYS]
    return due[-1] if due else None


def _is_away(asked: Asked, steps: list[int]) -> ColumnElement[bool]:
    """The same to a day or two, for the database to choose by: everybody ever seen would be too many to look at."""
    twice = 2 * func.coalesce(Habit.median_gap_days, 0)
    later_ms = case((twice > steps[0], twice - steps[0]), else_=0) * literal(DAY_MS, BigInteger)
    last_ms = type_coerce(Habit.last_at, BigInteger)
    windows = [
        and_(
            last_ms <= _days_before(asked, days - 2) - later_ms,
            last_ms > _days_before(asked, days + LATE_DAYS + 1) - later_ms,
        )
        for days in steps
    ]
    return and_(Habit.last_at < asked.midnight() - timedelta(days=steps[0] - 2), or_(*windows))


def _days_before(asked: Asked, days: int) -> ColumnElement[int]:
    return literal(milliseconds(asked.midnight()) - days * DAY_MS, BigInteger)
