"""Counting what a campaign came to: from its recipients, the ledger, the uses of its offer, and what wallets took.

Recipients are read in chunks, each in a reading transaction of its own: no statement is long, the memory stays small
however many they are, and a count that is killed is begun anew.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, case, func, select, type_coerce
from sqlalchemy.orm import Session, aliased

from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards.models import Programme
from app.ledger.models import Entry
from app.likelihood import seldom
from app.offers.models import Redemption
from app.outbox.models import Target
from app.results import stats
from app.results.counts import APART, HELD_BACK, TREATED, Arm, Counts, Planned, RunCounts

CHUNK = 5_000
DAY_MS = 86_400_000
EARLY_MS = 600_000  # a till's clock may be a little ahead: what was bought may be dated after it was booked
DRAWN_MOST = 1_000
RUNS_SHOWN = 60
WALLETS = ("apple", "google")
MEANS = ("visits", "spend")
Reading = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is counted of a campaign."""

    campaign_id: int
    offer_id: int | None
    metric: str
    timezone: str
    window_ms: int
    runs: tuple[tuple[int, str, int, int], ...]  # id, occurrence, fire_at, held back (basis points)


@dataclass
class _Group:
    """An arm while it is counted. Each value stands for one member who bought; the others have none."""

    people: int = 0
    buyers: int = 0
    redeemers: int = 0
    visits: "array[int]" = field(default_factory=lambda: array("l"))
    spend: "array[int]" = field(default_factory=lambda: array("q"))
    uses: int = 0
    cost_minor: int = 0

    def closed(self, cap_minor: int) -> Arm:
        capped = [min(one, cap_minor) for one in self.spend]
        return Arm(
            people=self.people,
            buyers=self.buyers,
            redeemers=self.redeemers,
            visits=sum(self.visits),
            visits_squared=sum(one * one for one in self.visits),
            spend_minor=sum(self.spend),
            capped_minor=sum(capped),
            capped_squared=sum(one * one for one in capped),
            uses=self.uses,
            cost_minor=self.cost_minor,
        )

    def each(self, values: Sequence[int]) -> list[int]:
        """A value of every member, zero for those who bought nothing."""
        return [*values, *([0] * (self.people - len(values)))]


@dataclass
class _Tally:
    """A campaign while it is counted. `seen`: one bit for each card that has an arm already."""

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
        """Whether a card is met for the first time; from now on it is not."""
        place, bit = divmod(card_id, 8)
        if place >= len(self.seen):
            self.seen.extend(bytes(place + 1 - len(self.seen) + 4096))
        was = self.seen[place] >> bit & 1
        self.seen[place] |= 1 << bit
        return not was


def question(session: Session, campaign: Campaign) -> Question:
    """What there is to count of a campaign now."""
    query = select(CampaignRun.id, CampaignRun.occurrence, _ms(CampaignRun.fire_at), CampaignRun.holdout_bp)
    runs = session.execute(query.where(CampaignRun.campaign_id == campaign.id).order_by(CampaignRun.id))
    return Question(
        campaign_id=campaign.id,
        offer_id=campaign.offer_id,
        metric=campaign.goal.get("metric", "purchase"),
        timezone=session.get_one(Programme, campaign.programme_id).timezone,
        window_ms=int(campaign.goal.get("days", 7)) * DAY_MS,
        runs=tuple((row[0], row[1], row[2], row[3]) for row in runs),
    )


def count(reading: Reading, asked: Question, *, now: datetime, chunk: int = CHUNK) -> Counts:
    """Count a campaign. Each member counts once, from the first time that they were assigned."""
    tally = _Tally()
    for run in asked.runs:
        before = tally.states.copy()
        for part in _chunks(reading, run[0], chunk):
            _take(tally, part, run[3])
            with reading() as session:
                _add_deeds(session, tally, asked, run[0], part)
        after = tally.states - before
        tally.runs.append(
            RunCounts(
                occurrence=run[1], fire_at=run[2], planned=after.total(), sent=after["sent"],
                waiting=after["planned"], suppressed=after["suppressed"],
            )
        )  # fmt: skip
    return _closed(tally, asked.metric, now)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A chunk of recipients. `arms`: those of them that are counted here, by card."""

    first: int
    last: int
    rows: Sequence[Any]
    arms: dict[int, str] = field(default_factory=dict)


def _chunks(reading: Reading, run_id: int, chunk: int) -> Iterator[_Part]:
    last = 0
    while True:
        query = (
            select(
                Recipient.card_id, Recipient.state, Recipient.arm, Recipient.reason, Recipient.note,
                _ms(Recipient.due_at).label("due_at"),
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
        yield _Part(first=rows[0].card_id, last=last, rows=rows)


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
        if (row.arm or row.reason == HELD_BACK) and tally.is_new(row.card_id):
            part.arms[row.card_id] = row.arm
            tally.groups[row.arm].people += 1
            if row.arm:
                tally.splits[held_bp] += 1


def _add_deeds(session: Session, tally: _Tally, asked: Question, run_id: int, part: _Part) -> None:
    """What the people of a chunk did, and how far the message came."""
    mine = (Recipient.run_id == run_id, Recipient.card_id.between(part.first, part.last))
    for card_id, visits, spend_minor in session.execute(_sales(asked, *mine)):
        if card_id in part.arms:
            group = tally.groups[part.arms[card_id]]
            group.buyers += 1
            group.visits.append(visits)
            group.spend.append(int(spend_minor))
    for marks in session.execute(_reached(*mine)):
        tally.reached["any"] += 1
        tally.reached.update(name for name, mark in zip((*WALLETS, "fetched"), marks, strict=True) if mark)
    if asked.offer_id is not None:
        _add_uses(session, tally, asked, part, mine)


def _add_uses(
    session: Session, tally: _Tally, asked: Question, part: _Part, mine: tuple[ColumnElement[bool], ...]
) -> None:
    query = (
        select(Recipient.card_id, _ms(Recipient.due_at), _ms(Redemption.at), Redemption.cost_minor)
        .join(Redemption, Redemption.card_id == Recipient.card_id)
        .where(
            *mine, Redemption.offer_id == asked.offer_id, Redemption.reversed_at.is_(None),
            Redemption.at >= Recipient.due_at,
        )
    )  # fmt: skip
    zone, redeemers = ZoneInfo(asked.timezone), set()
    for card_id, due_at, at, cost_minor in session.execute(query):
        if card_id not in part.arms:
            continue
        group = tally.groups[part.arms[card_id]]
        group.uses += 1
        group.cost_minor += cost_minor
        tally.days[datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date().isoformat()] += 1
        if at < due_at + asked.window_ms and card_id not in redeemers:
            redeemers.add(card_id)
            group.redeemers += 1


def _sales(asked: Question, *mine: ColumnElement[bool]) -> Any:
    """Card, sales of which anything is left, and what was paid for them, within each one's window."""
    back = aliased(Entry)
    returned = (
        select(func.coalesce(func.sum(back.amount_minor), 0))
        .where(seldom(back.reverses_id == Entry.id))
        .scalar_subquery()
    )
    due_at, at = _ms(Recipient.due_at), _ms(Entry.occurred_at)
    sales = (
        select(Recipient.card_id.label("card_id"), (Entry.amount_minor + returned).label("left_minor"))
        .join(Entry, Entry.card_id == Recipient.card_id)
        .where(
            *mine, _ms(Entry.recorded_at) >= due_at - EARLY_MS, at >= due_at,
            at < due_at + asked.window_ms, Entry.kind == "earn", Entry.amount_minor > 0, Entry.part_of_id.is_(None),
        )
        .subquery()
    )  # fmt: skip
    left = select(sales.c.card_id, func.count(), func.sum(sales.c.left_minor)).where(sales.c.left_minor > 0)
    return left.group_by(sales.c.card_id)


def _reached(*mine: ColumnElement[bool]) -> Any:
    """For each recipient whose message a wallet's service took: Apple's, Google's, and whether a phone fetched it."""
    marks = (*(Target.channel == one for one in WALLETS), Target.fetched >= Recipient.version)
    return (
        select(*(func.max(case((one, 1), else_=0)) for one in marks))
        .select_from(Recipient)
        .join(Target, Target.card_id == Recipient.card_id)
        .where(*mine, Recipient.state == "sent", Target.channel.in_(WALLETS), Target.done >= Recipient.version)
        .group_by(Recipient.card_id)
    )


def _ms(column: Any) -> ColumnElement[int]:
    """An instant as it is stored: to reckon with, and because a million of them are not turned into dates for it."""
    return type_coerce(column, BigInteger)


def _closed(tally: _Tally, metric: str, now: datetime) -> Counts:
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
        drawn=_drawn(metric, groups[TREATED], groups[HELD_BACK], cap_minor),
        last_due_at=tally.last_due_at,
        runs=tuple(tally.runs[-RUNS_SHOWN:]),
    )


def _drawn(metric: str, treated: _Group, held_back: _Group, cap_minor: int) -> tuple[float, float, float] | None:
    """The difference of the means with limits by drawing, where there are few enough people to draw from."""
    if metric not in MEANS or treated.people + held_back.people > DRAWN_MOST:
        return None
    one, other = (
        group.each(group.visits if metric == "visits" else [min(value, cap_minor) for value in group.spend])
        for group in (treated, held_back)
    )
    drawn = stats.bootstrap(one, other)
    return None if drawn is None else (drawn.value, drawn.low, drawn.high)
