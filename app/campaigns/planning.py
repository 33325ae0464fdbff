"""Who of an audience is told, held back or left out: decided in bounded chunks, each killable, none twice.

A chunk is read and judged outside of any writing transaction; the writing one moves the cursor on one condition and
inserts what was judged, so a till waits for a few milliseconds at most, and of two processes one wins.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from app import failpoints
from app.campaigns import audience, bulk, holdout, runs, timing
from app.campaigns.audience import Clock, Person, Setting
from app.campaigns.holdout import Shares
from app.campaigns.models import Campaign, CampaignRun
from app.cards.models import Card
from app.clock import milliseconds
from app.db import rows_changed
from app.gate import Priority
from app.offers import withholding
from app.offers.models import Offer
from app.world import World

CHUNK = 2_000
REST_MOST_S = 0.25
Row = tuple[int, str, str, str, str, int, int | None]


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Recipients as they were judged, of the cards after `after_id` up to `up_to_id`; `is_last`: none follow."""

    run_id: int
    after_id: int
    up_to_id: int
    rows: Sequence[Row]
    is_last: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
    """Decides about one person at a time; instants are found once for all who share a clock and its quiet hours.

    `local`: the wall-clock time that is meant, empty for now. `now`: no message leaves before.
    """

    setting: Setting
    shares: Shares
    local: str
    worth_until: datetime | None
    now: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "_leaving", cache(self._leaves))

    def row(self, person: Person) -> Row:
        """A person as a recipient."""
        now_ms = milliseconds(self.now)
        reason = self.setting.refusal(person)
        if reason:
            return (person.card_id, "suppressed", "", reason, "", now_ms, now_ms)
        worth_it: timing.Leaving | None = self._leaving(person.clock)  # type: ignore[attr-defined]  # made above
        arm = holdout.arm(self.shares, person.member)
        if arm != holdout.TREATED:  # due when they would have been told, so that both are measured from the same hour
            note, due_ms = "" if arm else "global", milliseconds(worth_it.at) if worth_it else now_ms
            return (person.card_id, "suppressed", arm, "holdout", note, due_ms, now_ms)
        if worth_it is None:
            return (person.card_id, "suppressed", arm, "too_late", "", now_ms, now_ms)
        note = "quiet_hours_moved" if worth_it.is_moved else ""
        return (person.card_id, "planned", arm, "", note, milliseconds(worth_it.at), None)

    def _leaves(self, by: Clock) -> timing.Leaving | None:
        meant_at = self.now
        if self.local:
            meant_at = max(timing.meant(self.local, self.setting.meant_zone(by)), self.now)
        leaving = timing.leaving(meant_at, self.setting.own_zone(by), self.setting.quiet_of(by))
        return leaving if leaving is not None and timing.is_worth(leaving.at, self.worth_until) else None


def work(world: World, run_id: int, *, chunk: int = CHUNK, rest: Callable[[float], None] = time.sleep) -> bool:
    """Plan the next chunk of a run; whether there was one. Killed anywhere, it is done again or was done.

    It rests as long as it wrote: whoever waits to write comes first, and readers wait for nobody.
    """
    now = world.clock()
    with world.database.reading() as session:
        found = judged(session, run_id, now=now, chunk=chunk)
    if found is None:
        return False
    began = 0.0

    def write(writing: Session) -> bool:
        nonlocal began
        began = time.monotonic()  # waiting for a turn kept nobody
        return keep(writing, found, now=now)

    is_kept = world.database.transact(write, priority=Priority.BULK)
    rest(min(REST_MOST_S, time.monotonic() - began))
    return is_kept


def judged(session: Session, run_id: int, *, now: datetime, chunk: int = CHUNK) -> Chunk | None:
    """The next chunk of a run that is being planned; None if it is not, or its campaign is paused."""
    run = session.get_one(CampaignRun, run_id)
    campaign = session.get_one(Campaign, run.campaign_id)
    if run.state != "planning" or campaign.state != "sending":
        return None
    up_to_id, is_last = _up_to(session, campaign.programme_id, run.cursor_card_id, chunk)
    wanted = [
        *audience.conditions(session, campaign, now=now), Card.id > run.cursor_card_id, Card.id <= up_to_id
    ]  # fmt: skip
    judge = judge_of(session, campaign, run, local=_local(campaign, run), now=now)
    rows = [judge.row(person) for person in audience.read(session, audience.people(*wanted).order_by(Card.id))]
    return Chunk(run_id=run_id, after_id=run.cursor_card_id, up_to_id=up_to_id, rows=rows, is_last=is_last)


def keep(session: Session, chunk: Chunk, *, now: datetime) -> bool:
    """Write a chunk, if its run stands where it was read and nobody stopped or paused it."""
    alive = exists().where(Campaign.id == CampaignRun.campaign_id, Campaign.state == "sending")
    mine = update(CampaignRun).where(
        CampaignRun.id == chunk.run_id, CampaignRun.state == "planning",
        CampaignRun.cursor_card_id == chunk.after_id, alive,
    )  # fmt: skip
    values: dict[str, Any] = {
        "cursor_card_id": chunk.up_to_id, "planned": CampaignRun.planned + len(chunk.rows)
    }  # fmt: skip
    if chunk.is_last:
        values |= {"state": "sending", "planned_at": now}
    if rows_changed(session, mine.values(values).execution_options(synchronize_session=False)) == 0:
        return False
    bulk.add_recipients(session, chunk.run_id, chunk.rows)
    _withhold(session, chunk.run_id, chunk.rows, now)
    failpoints.reached("plan.before_commit")
    return True


def add(
    session: Session, campaign: Campaign, run: CampaignRun, card_ids: Sequence[int], *, now: datetime, local: str = ""
) -> int:
    """Bring cards into a run that is under way, such as that of a trigger's day; how many were not in it yet.

    Everyone in it is judged as in any run: consent, wallet, holdout, clock, quiet hours. *local*: the wall-clock time
    that is meant for each of them ("2026-12-24T10:00"); empty: now. At most 1,000 cards at once.
    """
    wanted = [
        *audience.conditions(session, campaign, now=now), Card.id.in_(bulk.these(session, sorted(card_ids)))
    ]  # fmt: skip
    judge = judge_of(session, campaign, run, local=local, now=now)
    rows = [judge.row(person) for person in audience.read(session, audience.people(*wanted).order_by(Card.id))]
    new = bulk.add_recipients(session, run.id, rows)
    _withhold(session, run.id, rows, now)
    counted = update(CampaignRun).where(CampaignRun.id == run.id).values(planned=CampaignRun.planned + new)
    session.execute(counted.execution_options(synchronize_session=False))
    return new


def judge_of(session: Session, campaign: Campaign, run: CampaignRun, *, local: str, now: datetime) -> Judge:
    """Who decides about the people of a run."""
    setting = audience.setting(session, campaign)
    shares = Shares(
        campaign=campaign.public_id,
        campaign_bp=run.holdout_bp,
        programme=setting.programme.public_id,
        global_bp=run.global_bp,
    )
    until = runs.worth_until(session, campaign)
    return Judge(setting=setting, shares=shares, local=local, worth_until=until, now=now)


def _withhold(session: Session, run_id: int, rows: Sequence[Row], now: datetime) -> None:
    """Keep the campaign's offer from those who are held back; what stands on their cards goes."""
    held_back = [card_id for card_id, _state, _arm, reason, *_rest in rows if reason == "holdout"]
    carried = select(Offer).join(Campaign, Campaign.offer_id == Offer.id)
    offer = session.scalars(carried.join(CampaignRun, CampaignRun.campaign_id == Campaign.id).where(
        CampaignRun.id == run_id, Offer.withholds_at.is_not(None)
    )).one_or_none() if held_back else None  # fmt: skip
    if offer is None:
        return
    withholding.withhold(session, offer, held_back, run_id=run_id)
    if offer.state == "live":
        bulk.tell(session, held_back, now=now)


def _local(campaign: Campaign, run: CampaignRun) -> str:
    return "" if campaign.send_local == timing.NOW else run.occurrence


def _up_to(session: Session, programme_id: int, after_id: int, size: int) -> tuple[int, bool]:
    """The last card of the next chunk of a programme, and whether it is the programme's last.

    By cards of the programme, not of the audience: a rare audience would be searched for to the end in one go.
    """
    next_ones = select(Card.id).where(Card.programme_id == programme_id, Card.id > after_id).order_by(Card.id)
    found = next_ones.limit(size).subquery()
    up_to, number = session.execute(select(func.max(found.c.id), func.count()).select_from(found)).one()
    return (after_id, True) if up_to is None else (up_to, number < size)
