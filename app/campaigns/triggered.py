"""The job of triggered campaigns: who is due is found, and brought into the run of the day, once for each occasion.

What is found is read outside of any writing transaction. The writing one holds the campaign's row, so of two processes
that found the same card one brings it in; killed anywhere, or run again, it tells nobody twice.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import audience, planning, runs, states, triggers
from app.campaigns.models import Campaign, Occasion, Recipient
from app.campaigns.occasions.due import Asked, Due
from app.campaigns.occasions.finding import FINDERS
from app.cards.models import Programme
from app.errors import Busy
from app.gate import Priority
from app.world import World

LOGGER = logging.getLogger(__name__)
CHUNK = 500


def soon(world: World, *, chunk: int = CHUNK) -> int:
    """Bring in whom something happened to just now: welcome and thanks; how many. Every few seconds."""
    return sum(_follow(world, one, far=False, chunk=chunk) for one in _alive(world, triggers.HOURLY))


def daily(world: World, *, chunk: int = CHUNK) -> int:
    """Bring in everybody who is due today, and what is still worth saying of the days before; how many."""
    return sum(_follow(world, one, far=True, chunk=chunk) for one in _alive(world, FINDERS))


def asked_of(session: Session, campaign: Campaign, *, now: datetime, chunk: int = CHUNK) -> Asked:
    """Whom a campaign's trigger is asked for at *now*, from the first card on."""
    programme = session.get_one(Programme, campaign.programme_id)
    return Asked(
        campaign_id=campaign.id,
        programme_id=programme.id,
        trigger=triggers.read(campaign.trigger),
        audience=audience.conditions(session, campaign, now=now),
        zone=programme.timezone,
        today=localtime.wall_clock(now, programme.timezone).date(),
        since=campaign.launched_at or now,
        now=now,
        limit=chunk,
    )


def bring_in(session: Session, campaign: Campaign, due: Sequence[Due], *, now: datetime) -> int:
    """Plan those who are due in the run of the campaign's day, unless they are in it or were told on that occasion;
    how many were planned."""
    if states.locked(session, campaign).state != "sending":
        return 0
    run = runs.for_day(session, campaign, localtime.wall_clock(now, campaign.timezone).date().isoformat(), now=now)
    if run.state != "sending":  # its day is over: whoever is due is found again for the next one
        return 0
    fresh = _unsaid(session, campaign, run.id, due)
    for local in sorted({one.local for one in fresh}):
        ids = [one.card_id for one in fresh if one.local == local]
        planning.add(session, campaign, run, ids, now=now, local=local)
    planned = _planned(session, run.id, [one.card_id for one in fresh])
    claims = [
        {"campaign_id": campaign.id, "card_id": one.card_id, "occasion": one.occasion, "run_id": run.id, "at": now}
        for one in fresh
        if one.card_id in planned
    ]
    if claims:
        session.execute(insert(Occasion), claims)
    return len(claims)


def _alive(world: World, kinds: Collection[str]) -> list[int]:
    query = select(Campaign.id, Campaign.trigger).where(Campaign.kind == "triggered", Campaign.state == "sending")
    with world.database.reading() as session:
        rows = session.execute(query.order_by(Campaign.priority.desc(), Campaign.id)).all()
    return [one for one, trigger in rows if trigger.get("on") in kinds]


def _follow(world: World, campaign_id: int, *, far: bool, chunk: int) -> int:
    done, after = 0, 0
    while True:
        now = world.clock()
        with world.database.reading() as session:
            campaign = session.get_one(Campaign, campaign_id)
            asked = replace(asked_of(session, campaign, now=now, chunk=chunk), after=after, far=far)
            found = FINDERS[asked.trigger.on](session, asked)
        if found.due:
            done += _write(world, campaign_id, found.due, now)
        if found.after is None:
            return done
        after = found.after


def _write(world: World, campaign_id: int, due: Sequence[Due], now: datetime) -> int:
    try:
        return world.database.transact(
            lambda session: bring_in(session, session.get_one(Campaign, campaign_id), due, now=now),
            priority=Priority.BULK,
        )
    except Busy:
        LOGGER.info("the database is busy; who is due is found again", extra={"campaign": campaign_id})
        return 0


def _unsaid(session: Session, campaign: Campaign, run_id: int, due: Sequence[Due]) -> list[Due]:
    """Whom to bring in, as it is now that the campaign is held: the first of several occasions of one card."""
    ids = [one.card_id for one in due]
    query = select(Occasion.card_id, Occasion.occasion).where(
        Occasion.campaign_id == campaign.id, Occasion.card_id.in_(ids)
    )
    said = {(card, occasion) for card, occasion in session.execute(query)}
    taken = _planned(session, run_id, ids)
    fresh: dict[int, Due] = {}
    for one in due:
        if one.card_id not in taken and (one.card_id, one.occasion) not in said:
            fresh.setdefault(one.card_id, one)
    return list(fresh.values())


def _planned(session: Session, run_id: int, ids: Sequence[int]) -> set[int]:
    return set(session.scalars(select(Recipient.card_id).where(Recipient.run_id == run_id, Recipient.card_id.in_(ids))))
