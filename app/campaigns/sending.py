"""Messages leave: due recipients in chunks, each judged again as of now, each chunk one transaction.

What is written of a chunk is written together: who was told and who was not, the offer that came with it, the message
on the card, the card's version and what its phones must be brought up to. A process that dies leaves none of it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, literal_column, select
from sqlalchemy.orm import Session

from app import failpoints, localtime
from app.campaigns import audience, bulk, caps, personal, ranking, runs, texts, timing, triggers
from app.campaigns.audience import Person, Setting
from app.campaigns.caps import Caps, Told
from app.campaigns.models import Campaign, CampaignRun, CampaignText, Recipient
from app.campaigns.occasions import still
from app.campaigns.personal import Numbers
from app.campaigns.states import UNDER_WAY
from app.cards.models import Card
from app.gate import Priority
from app.offers import grants, withholding
from app.offers.models import Offer
from app.world import World

CHUNK_SQLITE = 200
CHUNK_POSTGRES = 500  # as bulk changes do: a till waits longest for the chunk before it
SUPPRESSED_AT_ONCE = 2_000
REST_MOST_S = 0.25
GIVING = ("scheduled", "live")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of a chunk. `found`: so many were due."""

    found: int = 0
    sent: int = 0
    suppressed: int = 0
    deferred: int = 0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is the same for a chunk: the run, its words, its offer, and until when it is worth anything."""

    run: CampaignRun
    setting: Setting
    words: CampaignText
    offer: Offer | None
    now: datetime

    @property
    def campaign(self) -> Campaign:
        return self.setting.campaign

    @property
    def worth_until(self) -> datetime | None:
        return self.offer.ends_at if self.offer else None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was read of the people of a chunk, by card. `audience`, `still`: who is in it, and has the reason of a
    trigger, as of now; None where that is everybody."""

    people: Mapping[int, Person]
    due_at: Mapping[int, datetime]
    told: Mapping[int, Told]
    rivals: Mapping[int, list[datetime]]
    audience: frozenset[int] | None
    still: frozenset[int] | None
    had_it: frozenset[int]
    numbers: Numbers


class Later(NamedTuple):
    """Until when somebody waits, and what for, as the recipient's note."""

    at: datetime
    note: str


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """Who is told, who is not and why, and who waits."""

    send: list[int]
    suppress: dict[str, list[int]]
    defer: dict[Later, list[int]]


def work(world: World, run_id: int, *, rest: Callable[[float], None] = time.sleep) -> Sent:
    """Send what is due of a run, one chunk of it, and rest as long as that took."""
    now = world.clock()
    began = 0.0

    def write(session: Session) -> Sent:
        nonlocal began
        began = time.monotonic()  # waiting for a turn kept nobody
        return send(session, run_id, now=now)

    sent = world.database.transact(write, priority=Priority.BULK)
    rest(min(REST_MOST_S, time.monotonic() - began))
    return sent


def send(session: Session, run_id: int, *, now: datetime, most: int | None = None) -> Sent:
    """Decide about the next due recipients of a run; several processes may do so at once, nobody is told twice."""
    stage = _stage(session, run_id, now)
    if stage is None:
        return Sent()
    due = _due(session, run_id, now, most or _size(session))
    if not due:
        return Sent()
    facts = _facts(session, stage, due)
    verdicts = judged(stage, facts)
    _write(session, stage, facts, verdicts)
    failpoints.reached("send.before_commit")
    return Sent(
        found=len(due),
        sent=len(verdicts.send),
        suppressed=sum(map(len, verdicts.suppress.values())),
        deferred=sum(map(len, verdicts.defer.values())),
    )


def judged(stage: Stage, facts: Facts) -> Verdicts:
    """What becomes of each of a chunk, decided from what was read of it."""
    verdicts = Verdicts(send=[], suppress={}, defer={})
    limits = Caps(policy=stage.setting.policy, purpose=stage.campaign.purpose)
    for card_id in sorted(facts.due_at):
        person = facts.people.get(card_id)
        reason, later = ("erased", None) if person is None else _verdict(stage, facts, limits, person)
        if reason:
            verdicts.suppress.setdefault(reason, []).append(card_id)
        elif later is not None:
            verdicts.defer.setdefault(later, []).append(card_id)
        else:
            verdicts.send.append(card_id)
    return verdicts


def suppress_rest(session: Session, run_id: int, reason: str, *, now: datetime) -> int:
    """Decide about some people of a run that is over, who were not told: how many were left to decide."""
    rest = select(Recipient.card_id).where(Recipient.run_id == run_id, Recipient.state == literal_column("'planned'"))
    ids = list(session.scalars(rest.limit(SUPPRESSED_AT_ONCE)))
    return bulk.suppress(session, run_id, sorted(ids), reason, now=now) if ids else 0


def withdraw(session: Session, card_ids: Sequence[int], *, now: datetime) -> int:
    """Take these cards, whose members want no marketing any more, out of everything that is planned for them."""
    query = (
        select(Recipient.run_id, Recipient.card_id)
        .join(CampaignRun, CampaignRun.id == Recipient.run_id)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(
            Recipient.card_id.in_(bulk.these(session, card_ids)), Recipient.state == literal_column("'planned'"),
            Campaign.purpose == "marketing",
        )
    )  # fmt: skip
    by_run: dict[int, list[int]] = {}
    for run_id, card_id in session.execute(query.order_by(Recipient.run_id, Recipient.card_id)):
        by_run.setdefault(run_id, []).append(card_id)
    return sum(bulk.suppress(session, run_id, ids, "no_consent", now=now) for run_id, ids in by_run.items())


def _verdict(stage: Stage, facts: Facts, limits: Caps, person: Person) -> tuple[str, Later | None]:
    """A reason not to send, or until when it waits; neither: it is sent now."""
    card_id, setting, now = person.card_id, stage.setting, stage.now
    refused = setting.refusal(person) or _overtaken(stage, facts, card_id)
    if refused:
        return refused, None
    zone = setting.own_zone(person.clock)
    leaving = timing.leaving(now, zone, setting.quiet_of(person.clock))
    late = _is_late(stage, facts.due_at[card_id], leaving)
    if late:
        return late, None
    if leaving is not None and leaving.is_moved:
        return "", Later(leaving.at, "quiet_hours_moved")
    begins, ends = timing.day_of(now, zone)
    if any(begins <= at < ends for at in facts.rivals.get(card_id, ())):
        return "outranked", None
    told = facts.told.get(card_id, Told())
    capped = limits.reason(told, person.per_week)
    if capped:
        free_at = limits.moved_to(told, capped, now)
        is_worth = free_at is not None and timing.is_worth(free_at, stage.worth_until)
        return ("", Later(free_at, "cap_moved")) if free_at is not None and is_worth else (capped, None)
    missing = texts.unfilled(stage.words.words, person.language, facts.numbers.get(card_id, {}))
    return ("unfilled" if missing else ""), None


def _overtaken(stage: Stage, facts: Facts, card_id: int) -> str:
    if stage.offer is not None and (stage.offer.state not in GIVING or stage.offer.ends_at <= stage.now):
        return "offer_over"
    if facts.audience is not None and card_id not in facts.audience:
        return "left_segment"
    if facts.still is not None and card_id not in facts.still:
        return "no_longer"
    return "duplicate" if card_id in facts.had_it else ""


def _is_late(stage: Stage, due_at: datetime, leaving: timing.Leaving | None) -> str:
    """Why it is no longer worth it: paused, if it fell due during a pause."""
    until = stage.worth_until
    in_time = leaving is not None and timing.is_worth(leaving.at, until)
    if in_time and until is None:
        in_time = stage.now - due_at <= runs.LATE_MOST
    if in_time:
        return ""
    resumed_at = stage.campaign.resumed_at
    return "paused" if resumed_at is not None and due_at < resumed_at else "too_late"


def _stage(session: Session, run_id: int, now: datetime) -> Stage | None:
    run = session.get_one(CampaignRun, run_id)
    campaign = session.get_one(Campaign, run.campaign_id)
    if run.state not in UNDER_WAY or campaign.state != "sending" or run.text_id is None:
        return None
    return Stage(
        run=run,
        setting=audience.setting(session, campaign),
        words=session.get_one(CampaignText, run.text_id),
        offer=session.get_one(Offer, campaign.offer_id) if campaign.offer_id else None,
        now=now,
    )


def _due(session: Session, run_id: int, now: datetime, most: int) -> dict[int, datetime]:
    """The next due recipients, which nobody else decides about until this transaction ends, and their locked cards."""
    mine = select(Recipient.card_id, Recipient.due_at).where(
        Recipient.run_id == run_id, Recipient.state == literal_column("'planned'"), Recipient.due_at <= now
    )
    taken = session.execute(mine.order_by(Recipient.due_at).limit(most).with_for_update(skip_locked=True)).all()
    due = {row.card_id: row.due_at for row in taken}
    if due:  # what is counted of a card below is counted by nobody else at the same time
        cards = select(Card.id).where(Card.id.in_(bulk.these(session, sorted(due)))).order_by(Card.id)
        session.execute(cards.with_for_update()).all()
    return due


def _facts(session: Session, stage: Stage, due: Mapping[int, datetime]) -> Facts:
    ids, campaign, now = sorted(due), stage.campaign, stage.now
    in_chunk = Card.id.in_(bulk.these(session, ids))
    stays = None
    if audience.is_narrowed(campaign):
        stays = frozenset(
            session.scalars(select(Card.id).where(in_chunk, *audience.conditions(session, campaign, now=now)))
        )
    fields = texts.fields_of(stage.words.words)
    people = {one.card_id: one for one in audience.read(session, audience.people(in_chunk))}
    return Facts(
        people=people,
        due_at=due,
        told=caps.told(session, ids, now=now),
        rivals=ranking.rivals(session, stage.setting, people, now=now),
        audience=stays,
        still=still.due(session, stage.setting, people, now=now) if campaign.trigger else None,
        had_it=_had_it(session, stage, ids),
        numbers=personal.numbers(session, stage.setting.programme, ids, fields, now=now),
    )


def _had_it(session: Session, stage: Stage, ids: Sequence[int]) -> frozenset[int]:
    """Who was told by another run of a campaign that comes once."""
    if stage.campaign.kind != "once":
        return frozenset()
    others = exists().where(
        CampaignRun.id == Recipient.run_id, CampaignRun.campaign_id == stage.campaign.id,
        CampaignRun.id != stage.run.id,
    )  # fmt: skip
    query = select(Recipient.card_id).where(
        Recipient.card_id.in_(bulk.these(session, ids)), Recipient.state == literal_column("'sent'"), others
    )
    return frozenset(session.scalars(query))


def _write(session: Session, stage: Stage, facts: Facts, verdicts: Verdicts) -> None:
    run_id, now = stage.run.id, stage.now
    for reason, ids in sorted(verdicts.suppress.items()):
        bulk.suppress(session, run_id, ids, reason, now=now)
    for later, ids in sorted(verdicts.defer.items()):
        bulk.defer(session, run_id, ids, later.at, later.note)
    if not verdicts.send:
        return
    for ends_at, ids in _by_end(stage, facts, verdicts.send).items():
        _give(session, stage, ids, ends_at)
        numbers = {one: personal.kept(facts.numbers.get(one, {})) for one in ids}
        shared = {"text_id": stage.words.id, "run_id": run_id, "starts_at": now, "ends_at": ends_at, "alert": True}
        bulk.put_messages(session, ids, shared, numbers)
    bulk.tell(session, verdicts.send, now=now)
    bulk.mark_sent(session, run_id, verdicts.send, now=now)


def _by_end(stage: Stage, facts: Facts, ids: Sequence[int]) -> dict[datetime, list[int]]:
    """Until when the message stands on each card: with its offer, some days by the member's clock, or a week."""
    found: dict[datetime, list[int]] = {}
    for card_id in ids:
        zone = stage.setting.own_zone(facts.people[card_id].clock)
        found.setdefault(_ends(stage, zone), []).append(card_id)
    return found


def _ends(stage: Stage, zone: str) -> datetime:
    over = stage.offer.ends_at if stage.offer else None
    if stage.campaign.trigger and over is not None:
        return min(over, triggers.good_until(triggers.read(stage.campaign.trigger), stage.now, zone))
    if over is not None:
        return over
    return localtime.end_of_day(localtime.wall_clock(stage.now + runs.STANDS, zone).date(), zone)


def _give(session: Session, stage: Stage, ids: Sequence[int], ends_at: datetime) -> None:
    offer = stage.offer
    if offer is not None and offer.audience == "targeted":
        grants.give(session, offer, ids, starts_at=stage.now, ends_at=ends_at, run_id=stage.run.id, now=stage.now)
    elif offer is not None and offer.withholds_at is not None:
        withholding.lift(session, offer, ids)


def _size(session: Session) -> int:
    return CHUNK_POSTGRES if session.get_bind().dialect.name == "postgresql" else CHUNK_SQLITE
