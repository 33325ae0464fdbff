"""Days of the calendar, of which everybody in the audience is told."""

from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns.occasions import told
from app.campaigns.occasions.birthday import EARLY_DAYS
from app.campaigns.occasions.due import Asked, Due, Found
from app.cards.models import Card


def of_calendar(session: Session, asked: Asked) -> Found:
    """The audience, for a day of the calendar that is near. Late it is said until the day is over."""
    day = near(asked)
    if day is None:
        return Found(due=[])
    occasion = f"occasion:{asked.trigger.values.get('day') or 'own'}:{day.isoformat()}"
    query = select(Card.id).where(*asked.cards, told.never(asked, occasion))
    cards = list(session.scalars(query.order_by(Card.id).limit(asked.limit)))
    local = asked.local(day - timedelta(days=asked.trigger.whole("days_before")))
    return asked.found([Due(card_id=one, occasion=occasion, local=local) for one in cards], cards)


def near(asked: Asked) -> date | None:
    """The day that is spoken of today, if there is one; with two, the one that is later."""
    before = timedelta(days=asked.trigger.whole("days_before"))
    launched_on = asked.day_of(asked.since)
    found = [
        day
        for year in (asked.today.year, asked.today.year + 1)
        for day in asked.trigger.dates_of(year)
        if day >= asked.today and day >= launched_on and day - before <= asked.today + timedelta(days=EARLY_DAYS)
    ]
    return min(found, default=None)
