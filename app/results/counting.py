"""Counting what a campaign came to: from its recipients, the ledger, the uses of its offer, and what wallets took.

Recipients are read in chunks, each in a reading transaction of its own: no statement is long, the memory stays small
however many they are, and a count that is killed is begun anew.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards.models import Programme
from app.results import deeds, people, stats
from app.results.counts import APART, HELD_BACK, TREATED, Arm, Counts, Planned, RunCounts
from app.results.people import Joined

CHUNK = 5_000
DAY_MS = 86_400_000
RUNS_SHOWN = 60
Reading = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is counted of a campaign. `joins`: there are cards that were joined, so it is asked for each whose it is."""

    campaign_id: int
    offer_id: int | None
    timezone: str
    window_ms: int
    joins: bool
    runs: tuple[tuple[int, str, int, int], ...]  # id, occurrence, fire_at, held back (basis points)


@dataclass
class _Group:
    """An arm while it is counted. `spend`: what each member who bought has paid."""

    people: int = 0
    buyers: int = 0
    redeemers: int = 0
    visits: int = 0
    visits_squared: int = 0
    spend: "array[int]" = field(default_factory=lambda: array("q"))
    uses: int = 0
    cost_minor: int = 0

    def add(self, visits: int, spend_minor: int) -> None:
        """A member who bought."""
        self.buyers += 1
        self.visits += visits
        self.visits_squared += visits * visits
        self.spend.append(spend_minor)

    def closed(self, cap_minor: int) -> Arm:
        capped = [min(one, cap_minor) for one in self.spend]
        return Arm(
            people=self.people,
            buyers=self.buyers,
            redeemers=self.redeemers,
            visits=self.visits,
            visits_squared=self.visits_squared,
            spend_minor=sum(self.spend),
            capped_minor=sum(capped),
            capped_squared=sum(one * one for one in capped),
            uses=self.uses,
            cost_minor=self.cost_minor,
        )


@dataclass
class _Tally:
    """A campaign while it is counted. `seen`: one bit for each card whose owner has an arm already."""

    groups: dict[str, _Group] = field(default_factory=lambda: {one: _Group() for one in (TREATED, HELD_BACK, APART)})
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    splits: Counter[int] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    runs: list[RunCounts] = field(default_factory=list)
    last_due_at: int | None = None
    seen: bytearray = field(default_factory=bytearray)

    def is_new(self, card_id: int) -> bool:
        """Whether a person, by their card, is met for the first time; from now on they are not."""
        place, bit = divmod(card_id, 8)
        if place >= len(self.seen):
            self.seen.extend(bytes(place + 1 - len(self.seen) + 4096))
        was = self.seen[place] >> bit & 1
        self.seen[place] |= 1 << bit
        return not was


def question(session: Session, campaign: Campaign) -> Question:
    """What there is to count of a campaign now."""
    query = select(CampaignRun.id, CampaignRun.occurrence, deeds.as_stored(CampaignRun.fire_at), CampaignRun.holdout_bp)
    runs = session.execute(query.where(CampaignRun.campaign_id == campaign.id).order_by(CampaignRun.id))
    return Question(
        campaign_id=campaign.id,
        offer_id=campaign.offer_id,
        timezone=session.get_one(Programme, campaign.programme_id).timezone,
        window_ms=int(campaign.goal.get("days", 7)) * DAY_MS,
        joins=people.are_any_joined(session),
        runs=tuple((row[0], row[1], row[2], row[3]) for row in runs),
    )


def count(reading: Reading, asked: Question, *, now: datetime, chunk: int = CHUNK) -> Counts:
    """Count a campaign. Each member counts once, from the first time that they were assigned, with all their cards."""
    tally = _Tally()
    for run in asked.runs:
        before = tally.states.copy()
        for part in _chunks(reading, asked, run[0], chunk):
            _take(tally, part, run[3])
            with reading() as session:
                _add_deeds(session, tally, asked, part)
        after = tally.states - before
        tally.runs.append(
            RunCounts(
                occurrence=run[1], fire_at=run[2], planned=after.total(), sent=after["sent"],
                waiting=after["planned"], suppressed=after["suppressed"],
            )
        )  # fmt: skip
    return _closed(tally, now)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A chunk of recipients. `mine` says which ones; `arms`: those of them that are counted here, by card."""

    rows: Sequence[Any]
    mine: tuple[ColumnElement[bool], ...]
    joined: Joined
    arms: dict[int, str] = field(default_factory=dict)

    @property
    def others(self) -> list[tuple[int, int, int]]:
        """Of those that are counted here the card, each other card of the same person, and since when it counts."""
        if not self.joined.roots:
            return []
        due_at = {row.card_id: row.due_at for row in self.rows}
        return [(card_id, other, due_at[card_id]) for card_id, other in self.joined.others(self.arms)]


def _chunks(reading: Reading, asked: Question, run_id: int, chunk: int) -> Iterator[_Part]:
    last = 0
    while True:
        query = (
            select(
                Recipient.card_id, Recipient.state, Recipient.arm, Recipient.reason, Recipient.note,
                deeds.as_stored(Recipient.due_at).label("due_at"),
            )
            .where(Recipient.run_id == run_id, Recipient.card_id > last)
            .order_by(Recipient.card_id)
            .limit(chunk)
        )  # fmt: skip
        with reading() as session:
            rows = session.execute(query).all()
            if not rows:
                return
            last = rows[-1].card_id
            mine = (Recipient.run_id == run_id, Recipient.card_id.between(rows[0].card_id, last))
            joined = people.of(session, [row.card_id for row in rows]) if asked.joins else Joined()
        yield _Part(rows=rows, mine=mine, joined=joined)


def _take(tally: _Tally, part: _Part, held_bp: int) -> None:
    """Count the recipients themselves, and put those who are met for the first time into their arms."""
    for row in part.rows:
        tally.states[row.state] += 1
        if row.reason:
            tally.reasons[row.reason] += 1
        if row.note:
            tally.notes[row.note] += 1
        if tally.last_due_at is None or row.due_at > tally.last_due_at:
            tally.last_due_at = row.due_at
        if (row.arm or row.reason == HELD_BACK) and tally.is_new(part.joined.person(row.card_id)):
            part.arms[row.card_id] = row.arm
            tally.groups[row.arm].people += 1
            if row.arm:
                tally.splits[held_bp] += 1


def _add_deeds(session: Session, tally: _Tally, asked: Question, part: _Part) -> None:
    """What the people of a chunk did, and how far the message came."""
    everybody = (deeds.alone(*part.mine), *deeds.together(part.others))
    bought: dict[int, tuple[int, int]] = {}
    for who in everybody:
        for card_id, visits, spend_minor in session.execute(deeds.sales(who, asked.window_ms)):
            before = bought.get(card_id, (0, 0))
            bought[card_id] = (before[0] + visits, before[1] + int(spend_minor))
    for card_id, arm in part.arms.items():
        if card_id in bought:
            tally.groups[arm].add(*bought[card_id])
    for marks in session.execute(deeds.reached(*part.mine)):
        tally.reached["any"] += 1
        tally.reached.update(name for name, mark in zip((*deeds.WALLETS, "fetched"), marks, strict=True) if mark)
    if asked.offer_id is not None:
        used = (row for who in everybody for row in session.execute(deeds.uses(who, asked.offer_id)))
        _add_uses(tally, asked, part, used)


def _add_uses(tally: _Tally, asked: Question, part: _Part, used: Iterable[Any]) -> None:
    zone, redeemers = ZoneInfo(asked.timezone), set()
    for card_id, due_at, at, cost_minor in used:
        if card_id not in part.arms:
            continue
        group = tally.groups[part.arms[card_id]]
        group.uses += 1
        group.cost_minor += cost_minor
        tally.days[datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date().isoformat()] += 1
        if at < due_at + asked.window_ms and card_id not in redeemers:
            redeemers.add(card_id)
            group.redeemers += 1


def _closed(tally: _Tally, now: datetime) -> Counts:
    groups = tally.groups
    cap_minor = stats.cap([*groups[TREATED].spend, *groups[HELD_BACK].spend])
    return Counts(
        computed_at=now,
        planned=tally.states.total(),
        sent=tally.states["sent"],
        waiting=tally.states["planned"],
        reasons=dict(sorted(tally.reasons.items())),
        notes=dict(sorted(tally.notes.items())),
        accepted=tally.reached["any"],
        apple=tally.reached["apple"],
        google=tally.reached["google"],
        fetched=tally.reached["fetched"],
        treated=groups[TREATED].closed(cap_minor),
        held_back=groups[HELD_BACK].closed(cap_minor),
        apart=groups[APART].closed(cap_minor),
        splits=tuple(Planned(held_bp=one, people=people) for one, people in sorted(tally.splits.items())),
        redeemed_by_day=dict(sorted(tally.days.items())),
        cap_minor=cap_minor,
        last_due_at=tally.last_due_at,
        runs=tuple(tally.runs[-RUNS_SHOWN:]),
    )
