"""Who has their birthday: found by digests of the days, and told at the hour of their own clock."""

from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns.occasions import told
from app.campaigns.occasions.due import Asked, Due, Found
from app.cards import birthdays
from app.cards.models import Card, Member

LATE_DAYS = 3  # three days late is still kind, ten are not
# where the sun rises earlier than at the programme, the hour may come before the programme's midnight
EARLY_DAYS = 1
ONCE_IN_DAYS = 365


def congratulated(session: Session, asked: Asked) -> Found:
    """Cards of members with a birthday, known for 30 days, and not kept within the last 365 by any campaign.

    Who was to be congratulated and was not (the campaign was stopped) is found by the next one.
    """
    before = asked.trigger.whole("days_before")
    first = max(asked.today - timedelta(days=LATE_DAYS), asked.day_of(asked.since))
    sends_on = [first + timedelta(days=one) for one in range((asked.today - first).days + EARLY_DAYS + 1)]
    days = birthdays.digests_of(session, asked.programme_id, [day + timedelta(days=before) for day in sends_on])
    query = (
        select(Card.id, Member.birthday_index, Member.birthday_set_at)
        .join(Member, Member.id == Card.member_id)
        .where(*asked.cards, Member.programme_id == asked.programme_id, Member.birthday_index.in_(days))
    )
    rows = session.execute(query.order_by(Card.id).limit(asked.limit)).all()
    cards = [row.id for row in rows]
    said = told.kept(session, told.campaigns_on(session, asked.programme_id, "birthday"), cards) if cards else {}
    due = []
    for card, index, set_at in rows:
        kept_on = days[index or ""]
        known = birthdays.is_known_long_enough(set_at, localtime.start_of_day(kept_on, asked.zone))
        if known and not any(_is_near(one, kept_on) for one, _at in said.get(card, ())):
            local = asked.local(kept_on - timedelta(days=before))
            due.append(Due(card_id=card, occasion=f"birthday:{kept_on.isoformat()}", local=local))
    return asked.found(due, cards)


def _is_near(occasion: str, kept_on: date) -> bool:
    """Whether another birthday was kept less than 365 days from this one."""
    kind, _, text = occasion.partition(":")
    return kind == "birthday" and abs((date.fromisoformat(text) - kept_on).days) < ONCE_IN_DAYS
