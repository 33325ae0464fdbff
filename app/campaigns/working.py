"""The clock of campaigns: what is due begins, is planned, is sent and ends; any number of processes may do it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import exists, func, literal_column, select
from sqlalchemy.orm import Session

from app.campaigns import approval, bulk, planning, ranking, runs, sending, service
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.campaigns.states import ALIVE, UNDER_WAY
from app.cards import expansion
from app.cards.models import Card, Consent
from app.gate import Priority
from app.offers.models import Offer
from app.webhooks import kinds
from app.webhooks import service as webhooks
from app.world import World

log = logging.getLogger(__name__)

BUDGET_S = 4.0
PLANNED_AT_ONCE = 4  # chunks for each that is sent: who gets nothing is known sooner than the last phone is told
# ten seconds of Apple's bulk pace: so long after a stop the last phones are still told
APPLE_BEHIND_MOST = 5_000
CONSENTS_LOOKED_AT = 5_000
CONSENTS_SINCE = timedelta(minutes=5)
Rest = Callable[[float], None]


@dataclass(kw_only=True)
class Done:
    """What one call did."""

    begun: int = 0
    planned_chunks: int = 0
    sent: int = 0
    suppressed: int = 0
    finished: int = 0


def work(
    world: World, *, budget_s: float = BUDGET_S, rest: Rest = time.sleep, behind_most: int = APPLE_BEHIND_MOST
) -> Done:
    """Bring campaigns as far as they are due, for some seconds at most.

    To be called every second by every scheduler. After each chunk it rests as long as that wrote: tills come first.
    Nobody is told while *behind_most* phones of the programme have still to catch up.
    """
    done = Done()
    deadline = time.monotonic() + budget_s
    _withdraw(world, done)
    _begin(world, done)
    while time.monotonic() < deadline and _step(world, done, rest, behind_most):
        pass
    _finish(world, done)
    return done


def follow_zones(world: World) -> int:
    """Bring what waits in line with today's rules of zones and with the zones that members have chosen; how many."""
    return world.database.transact(lambda session: runs.follow_zones(session, now=world.clock()))


def settle(world: World) -> Done:
    """As `work`, without rest until nothing is due any more: for tests, and where nobody waits."""
    total = Done()
    while True:
        one = work(world, budget_s=60.0, rest=_at_once)
        for name in ("begun", "planned_chunks", "sent", "suppressed", "finished"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        if one == Done():
            return total


def _at_once(_seconds: float) -> None:
    return None


def _step(world: World, done: Done, rest: Rest, behind_most: int) -> bool:
    """Some chunks of each run that is planned, one of each that is sent, the most important first; whether any were."""
    with world.database.reading() as session:
        to_plan = _planning(session)
        to_send = _due(session, world.clock(), behind_most)
        stopped = _stopped(session)
    worked = False
    for run_id in to_plan:
        for _ in range(PLANNED_AT_ONCE):
            if not planning.work(world, run_id, rest=rest):
                break
            done.planned_chunks += 1
            worked = True
    for run_id in to_send:
        sent = sending.work(world, run_id, rest=rest)
        done.sent += sent.sent
        done.suppressed += sent.suppressed
        worked = worked or sent.found > 0
    for run_id, reason in stopped:
        done.suppressed += _suppress(world, run_id, reason)
        worked = True
    return worked


def _planning(session: Session) -> list[int]:
    mine = select(CampaignRun.id).join(Campaign, Campaign.id == CampaignRun.campaign_id)
    return list(session.scalars(mine.where(CampaignRun.state == "planning", Campaign.state == "sending")))


def _due(session: Session, now: datetime, behind_most: int) -> list[int]:
    """Runs with somebody to be told now, the most important campaign first.

    None of a programme whose phones have too much to catch up with: what a campaign has written cannot be called back.
    """
    somebody = exists().where(
        Recipient.run_id == CampaignRun.id, Recipient.state == literal_column("'planned'"), Recipient.due_at <= now
    )
    query = (
        select(CampaignRun.id, Campaign)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(CampaignRun.state.in_(UNDER_WAY), Campaign.state == "sending", somebody)
    )
    found = [(ranking.rank(campaign), run_id, campaign.programme_id) for run_id, campaign in session.execute(query)]
    full = {programme_id for programme_id in {one[2] for one in found} if _is_full(session, programme_id, behind_most)}
    return [run_id for _, run_id, programme_id in sorted(found, reverse=True) if programme_id not in full]


def _is_full(session: Session, programme_id: int, behind_most: int) -> bool:
    behind = expansion.backlog(session, programme_id, limit=expansion.PAUSE_ROWS)
    return behind.apple >= behind_most or behind.google >= expansion.PAUSE_ROWS


def _stopped(session: Session) -> list[tuple[int, str]]:
    """Runs that are over with somebody in them about whom nothing was decided."""
    somebody = exists().where(Recipient.run_id == CampaignRun.id, Recipient.state == literal_column("'planned'"))
    query = (
        select(CampaignRun.id)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(CampaignRun.state == "stopped", Campaign.state == "stopped", somebody)
    )
    return [(run_id, "stopped") for run_id in session.scalars(query)]


def _suppress(world: World, run_id: int, reason: str) -> int:
    now = world.clock()
    return world.database.transact(
        lambda session: sending.suppress_rest(session, run_id, reason, now=now), priority=Priority.BULK
    )


def _begin(world: World, done: Done) -> None:
    """Let runs begin whose time has come, but not for people whom nobody has approved."""
    now = world.clock()
    with world.database.reading() as session:
        query = select(CampaignRun.id, Campaign).join(Campaign, Campaign.id == CampaignRun.campaign_id)
        waiting = query.where(CampaignRun.state == "waiting", CampaignRun.fire_at <= now, Campaign.state.in_(ALIVE))
        found = session.execute(waiting.order_by(CampaignRun.fire_at, CampaignRun.id)).all()
        due = [(run_id, one.id, approval.missing(session, one, now=now)) for run_id, one in found]
    for run_id, campaign_id, missing in due:
        became = world.database.transact(
            partial(_begun, campaign_id=campaign_id, run_id=run_id, missing=missing, now=now)
        )
        done.begun += became != ""
        if became == "missed":
            log.error("run %s of a campaign came too late and was missed", run_id)
        elif became == missing != "":
            log.warning("a campaign did not go, since its people are not approved", extra={"campaign": campaign_id})


def _begun(session: Session, campaign_id: int, run_id: int, missing: str, now: datetime) -> str:
    """What became of a run whose time has come."""
    if missing and approval.withdraw(session, session.get_one(Campaign, campaign_id), missing):
        return missing
    run = session.get(CampaignRun, run_id)
    return runs.begin(session, run, now=now) if run is not None else ""


def _finish(world: World, done: Done) -> None:
    """Close the runs of which everything is decided, and say so."""
    now = world.clock()
    with world.database.reading() as session:
        over = [(run_id, _summary(session, run_id)) for run_id in _decided(session, now)]

    def finish(session: Session, run_id: int, summary: service.Counts) -> bool:
        run = session.get_one(CampaignRun, run_id)
        if not runs.finish(session, run, now=now):
            return False
        _tell(session, run, summary, now)
        return True

    for run_id, summary in over:
        done.finished += world.database.transact(
            lambda session, one=run_id, counted=summary: finish(session, one, counted)  # type: ignore[misc]
        )


def _decided(session: Session, now: datetime) -> list[int]:
    somebody = exists().where(Recipient.run_id == CampaignRun.id, Recipient.state == literal_column("'planned'"))
    query = (
        select(CampaignRun, Campaign)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(CampaignRun.state == "sending", ~somebody)
    )
    return [run.id for run, campaign in session.execute(query) if runs.is_whole(run, campaign, now)]


def _summary(session: Session, run_id: int) -> service.Counts:
    run = session.get_one(CampaignRun, run_id)
    return service.counts(session, session.get_one(Campaign, run.campaign_id), run_id)


def _tell(session: Session, run: CampaignRun, counted: service.Counts, now: datetime) -> None:
    campaign = session.get_one(Campaign, run.campaign_id)
    offer = session.get(Offer, campaign.offer_id) if campaign.offer_id else None
    data = {
        "reason": "campaign",
        "state": "done",
        "offer": offer.public_id if offer else None,
        "cards": counted.sent,
        "left": counted.waiting,
        "campaign": campaign.public_id,
        "occurrence": run.occurrence,
        "planned": counted.planned,
        "suppressed": counted.reasons,
    }
    webhooks.announce(session, programme_id=campaign.programme_id, kind=kinds.CAMPAIGN_FINISHED, data=data, now=now)


def _withdraw(world: World, done: Done) -> None:
    """Whoever has just said no is taken out of what is planned; sending asks again in any case."""
    now = world.clock()
    with world.database.reading() as session:
        gone = _gone(session, now)
    if gone:
        done.suppressed += world.database.transact(
            lambda session: sending.withdraw(session, sorted(gone), now=now), priority=Priority.BULK
        )


def _gone(session: Session, now: datetime) -> list[int]:
    """Cards that wait for a message and whose members said no just now."""
    last = session.scalar(select(func.max(Consent.id))) or 0
    lately = select(Consent.member_id).where(
        Consent.id > last - CONSENTS_LOOKED_AT, Consent.at > now - CONSENTS_SINCE, Consent.granted.is_(False),
        Consent.purpose == "marketing", Consent.channel == "wallet",
    )  # fmt: skip
    members = list(session.scalars(lately.distinct()))
    if not members:  # as in nearly every second; in one statement SQLite began with all who wait
        return []
    waiting = exists().where(Recipient.card_id == Card.id, Recipient.state == literal_column("'planned'"))
    return list(session.scalars(select(Card.id).where(Card.member_id.in_(bulk.these(session, members)), waiting)))
