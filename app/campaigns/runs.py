"""The occurrences of a campaign as rows: the next one waits, one at a time is under way, those before are over."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import audience, recurring, states, timing
from app.campaigns.holdout import Shares
from app.campaigns.models import Campaign, CampaignRun, CampaignText
from app.db import insert_if_new
from app.offers import withholding
from app.offers.models import Offer

STARTED_JUST_NOW = timedelta(minutes=1)
LATE_MOST = timedelta(hours=24)
STANDS = timedelta(days=7)
LONGEST_ABSENCE = 1000


def occurrences_after(campaign: Campaign, text: str) -> "list[str]":
    """The next local times of a campaign after *text*, in order; at most as many as a long absence can miss."""
    if campaign.kind == "triggered":
        return []
    if campaign.kind == "once":
        return [campaign.send_local] if campaign.send_local > text else []
    errors: dict[str, str] = {}
    rule = recurring.parse(campaign.recurrence, errors)
    if rule is None:
        return []
    later = (one for one in recurring.occurrences(rule, campaign.send_local) if one > text)
    return list(islice(later, LONGEST_ABSENCE))


def next_occurrence(campaign: Campaign, *, after: datetime) -> str | None:
    """The first local time of a campaign that is not over by its own clock."""
    return next(_not_over(campaign, after), None)


def next_free(session: Session, campaign: Campaign, *, after: datetime) -> str | None:
    """The same, but none that was sent already: where the sun rises earlier, a time is over before it is by the
    campaign's own clock, and a campaign that was changed since goes on with the next one."""
    had = set(session.scalars(select(CampaignRun.occurrence).where(CampaignRun.campaign_id == campaign.id)))
    return next((one for one in _not_over(campaign, after) if one not in had), None)


def _not_over(campaign: Campaign, after: datetime) -> Iterator[str]:
    since = after - STARTED_JUST_NOW
    before = timing.as_text(localtime.wall_clock(since, campaign.timezone).replace(microsecond=0))
    return (one for one in occurrences_after(campaign, before) if timing.meant(one, campaign.timezone) >= since)


def fires_at(session: Session, campaign: Campaign, local: str) -> datetime:
    """When the first of a campaign's people are told: where that local time comes first."""
    return _first_of(audience.zones(session, campaign), local)


def _first_of(zones: set[str], local: str) -> datetime:
    return min(timing.meant(local, zone) for zone in zones)


def schedule(session: Session, campaign: Campaign, *, now: datetime) -> None:
    """Let the run of a launched campaign wait for its time."""
    if campaign.kind == "triggered":
        return
    if campaign.send_local == timing.NOW:
        occurrence, fire_at = localtime.local_key(now, campaign.timezone), now
    else:
        found = next_free(session, campaign, after=now)
        if found is None:
            return
        occurrence, fire_at = found, fires_at(session, campaign, found)
    insert_if_new(session, CampaignRun, campaign_id=campaign.id, occurrence=occurrence, fire_at=fire_at, **_NEW)


_NEW = {"state": "waiting", "cursor_card_id": 0, "planned": 0, "holdout_bp": 0, "global_bp": 0}


def for_day(session: Session, campaign: Campaign, day: str, *, now: datetime) -> CampaignRun:
    """The run of a triggered campaign for one day (`2026-12-24`), under way; made if it is new.

    `planning.add` brings people into it; it ends by itself when its day is over by the campaign's clock.
    """
    held = audience.shares(session, campaign, now=now)
    keep_back(session, campaign, held, now=now)
    words = freeze(session, campaign)
    values = _NEW | {"state": "sending", "holdout_bp": held.campaign_bp, "global_bp": held.global_bp}
    insert_if_new(
        session, CampaignRun, campaign_id=campaign.id, occurrence=day, fire_at=now, text_id=words.id, started_at=now,
        **values,
    )  # fmt: skip
    mine = select(CampaignRun).where(CampaignRun.campaign_id == campaign.id, CampaignRun.occurrence == day)
    return session.scalars(mine).one()


def keep_back(session: Session, campaign: Campaign, held: Shares, *, now: datetime) -> None:
    """See to it that a campaign's offer can be kept from those who are held back."""
    if campaign.offer_id is not None and (held.campaign_bp or held.global_bp):
        withholding.begin(session, session.get_one(Offer, campaign.offer_id), now=now)


def freeze(session: Session, campaign: Campaign) -> CampaignText:
    """The words of a campaign as they are sent; the same row for each run of the same revision."""
    words = words_of(session, campaign)
    insert_if_new(session, CampaignText, campaign_id=campaign.id, revision=campaign.revision, words=words)
    mine = select(CampaignText).where(
        CampaignText.campaign_id == campaign.id, CampaignText.revision == campaign.revision
    )
    return session.scalars(mine).one()


def words_of(session: Session, campaign: Campaign) -> dict[str, Any]:
    """What a campaign says: its own message, else the words of its offer."""
    if campaign.message or campaign.offer_id is None:
        return dict(campaign.message)
    offer = session.get_one(Offer, campaign.offer_id)
    return {"title": offer.title, "body": offer.body, "texts": offer.texts}


def begin(session: Session, run: CampaignRun, *, now: datetime) -> str:
    """Take a run whose time has come: planning, superseded, missed, or empty if somebody else took it.

    After a long absence the newest occurrence of a recurrence goes and the others are superseded; what comes once and
    is no longer worth it is missed.
    """
    campaign = states.locked(session, session.get_one(Campaign, run.campaign_id))
    if campaign.state not in states.ALIVE:
        return ""
    newest = _newest_due(session, campaign, run, now)
    if newest.id == run.id and not _is_in_time(session, campaign, run, now):
        return _give_up(session, campaign, run, now)
    if newest.id != run.id:
        states.turn_run(session, run.id, of=("waiting",), state="superseded", ended_at=now)
    held = audience.shares(session, campaign, now=now)
    taken = states.turn_run(
        session, newest.id, of=("waiting",), state="planning", started_at=now, holdout_bp=held.campaign_bp,
        global_bp=held.global_bp, text_id=freeze(session, campaign).id,
    )  # fmt: skip
    if taken:
        keep_back(session, campaign, held, now=now)
        states.turn(session, campaign, of=states.ALIVE, state="sending")
    return "planning" if taken else ""


def finish(session: Session, run: CampaignRun, *, now: datetime) -> bool:
    """Close a run of which everything is decided, and let the next one wait; whether it was still open."""
    campaign = states.locked(session, session.get_one(Campaign, run.campaign_id))
    if not states.turn_run(session, run.id, of=("sending",), state="done", ended_at=now):
        return False
    if campaign.kind != "triggered":
        _follow(session, campaign, run.occurrence, now)
    return True


def stop(session: Session, campaign: Campaign, *, now: datetime) -> None:
    """End all runs of a campaign; `sending` decides about the people who were not told yet."""
    open_ones = update(CampaignRun).where(
        CampaignRun.campaign_id == campaign.id, CampaignRun.state.in_(("waiting", "planning", "sending"))
    )
    session.execute(open_ones.values(state="stopped", ended_at=now).execution_options(synchronize_session=False))


def forget(session: Session, campaign_id: int) -> None:
    """Take a run that still waits out of the calendar."""
    waiting = delete(CampaignRun).where(CampaignRun.campaign_id == campaign_id, CampaignRun.state == "waiting")
    session.execute(waiting.execution_options(synchronize_session=False))


def worth_until(session: Session, campaign: Campaign) -> datetime | None:
    """The end of what a campaign is about; None where that is a message alone."""
    if campaign.offer_id is None:
        return None
    return session.scalar(select(Offer.ends_at).where(Offer.id == campaign.offer_id))


def last_of(session: Session, campaign_id: int) -> datetime | None:
    """When the latest run of a campaign fired or will fire."""
    return session.scalar(select(func.max(CampaignRun.fire_at)).where(CampaignRun.campaign_id == campaign_id))


def _newest_due(session: Session, campaign: Campaign, run: CampaignRun, now: datetime) -> CampaignRun:
    """The latest occurrence that is due by now, with rows for those that were missed between it and *run*."""
    if campaign.kind != "recurring":
        return run
    later = occurrences_after(campaign, run.occurrence)
    zones = audience.zones(session, campaign)
    due = list(takewhile(lambda one: _first_of(zones, one) <= now, later))
    for one in due:
        state = {"state": "waiting"} if one == due[-1] else {"state": "superseded", "ended_at": now}
        fire_at = _first_of(zones, one)
        insert_if_new(session, CampaignRun, campaign_id=campaign.id, occurrence=one, fire_at=fire_at, **(_NEW | state))
    if not due:
        return run
    mine = select(CampaignRun).where(CampaignRun.campaign_id == campaign.id, CampaignRun.occurrence == due[-1])
    return session.scalars(mine).one()


def _is_in_time(session: Session, campaign: Campaign, run: CampaignRun, now: datetime) -> bool:
    """Whether a run is still worth it: until an hour before its offer's end, a message for a day after its time.

    Of a recurrence the newest occurrence goes however late, unless its offer is over.
    """
    until = worth_until(session, campaign)
    if until is not None:
        return timing.is_worth(now, until) or run.fire_at >= now
    return campaign.kind == "recurring" or now - run.fire_at <= LATE_MOST


def _give_up(session: Session, campaign: Campaign, run: CampaignRun, now: datetime) -> str:
    if not states.turn_run(session, run.id, of=("waiting",), state="missed", ended_at=now):
        return ""
    _follow(session, campaign, run.occurrence, now, missed=True)
    return "missed"


_GOES_ON = (*states.ALIVE, "paused")  # a pause holds up nobody who was decided about already


def _follow(session: Session, campaign: Campaign, occurrence: str, now: datetime, *, missed: bool = False) -> None:
    """Let the next occurrence wait; with none left the campaign is over."""
    later = occurrences_after(campaign, occurrence) if campaign.kind == "recurring" else []
    if later:
        fire_at = fires_at(session, campaign, later[0])
        insert_if_new(session, CampaignRun, campaign_id=campaign.id, occurrence=later[0], fire_at=fire_at, **_NEW)
        states.turn(session, campaign, of=("sending",), state="queued")
    elif missed:
        states.turn(session, campaign, of=_GOES_ON, state="stopped", stopped_because="missed", ended_at=now)
    else:
        states.turn(session, campaign, of=_GOES_ON, state="sent", ended_at=now)


def follow_zones(session: Session, *, now: datetime) -> int:
    """Find the instants of waiting runs anew: rules of zones change, and members choose others; how many moved."""
    query = (
        select(CampaignRun, Campaign)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(CampaignRun.state == "waiting", CampaignRun.fire_at > now, Campaign.send_local != timing.NOW)
    )
    moved = 0
    for run, campaign in session.execute(query.order_by(CampaignRun.id)).all():
        fire_at = fires_at(session, campaign, run.occurrence)
        if fire_at != run.fire_at:
            run.fire_at = fire_at
            moved += 1
    return moved


def is_whole(run: CampaignRun, campaign: Campaign, now: datetime) -> bool:
    """Whether nobody comes into a run any more: it is planned, or the day of a trigger is over."""
    if campaign.kind != "triggered":
        return run.planned_at is not None
    day = localtime.wall_clock(now, campaign.timezone).date().isoformat()
    return run.occurrence[: len(day)] < day
