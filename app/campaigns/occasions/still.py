"""Whether what a triggered message is about is still so when it leaves: people buy and spend before its hour."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import bulk, triggers
from app.campaigns.audience import Person, Setting
from app.campaigns.models import Occasion
from app.campaigns.occasions.due import Asked
from app.campaigns.occasions.finding import FINDERS
from app.cards.models import Card

NOBODY_S = 0  # the id of no campaign: what this one has said already is not asked then
STAYS = ("birthday", "welcome")
"""What nothing that a customer does makes untrue."""


def due(session: Session, setting: Setting, people: Mapping[int, Person], *, now: datetime) -> frozenset[int] | None:
    """Who of these cards its trigger would find at *now*, told or not; None where that cannot change."""
    campaign = setting.campaign
    trigger = triggers.read(campaign.trigger)
    if trigger.on in STAYS:
        return None
    if trigger.on == "occasion":
        return _of_day(session, setting, people, now)
    zone = setting.programme.timezone
    asked = Asked(
        campaign_id=NOBODY_S,
        programme_id=campaign.programme_id,
        trigger=trigger,
        audience=[Card.id.in_(bulk.these(session, sorted(people)))],
        zone=zone,
        today=localtime.wall_clock(now, zone).date(),
        since=campaign.launched_at or now,
        now=now,
        limit=len(people) + 1,
    )
    return frozenset(one.card_id for one in FINDERS[trigger.on](session, asked).due)


def _of_day(session: Session, setting: Setting, people: Mapping[int, Person], now: datetime) -> frozenset[int]:
    """Those for whom the day of the calendar is not over, by their own clock."""
    mine = Occasion.campaign_id == setting.campaign.id, Occasion.card_id.in_(bulk.these(session, sorted(people)))
    last: dict[int, date] = {}
    for card_id, occasion in session.execute(select(Occasion.card_id, Occasion.occasion).where(*mine)):
        day = date.fromisoformat(occasion.rpartition(":")[2])
        last[card_id] = max(day, last.get(card_id, day))
    return frozenset(
        card_id
        for card_id, day in last.items()
        if localtime.wall_clock(now, setting.own_zone(people[card_id].clock)).date() <= day
    )
