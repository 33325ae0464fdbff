"""Everything that one page of the calendar shows, read once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.campaigns import calendars, policy, recurring
from app.campaigns.models import Campaign
from app.cards.models import Card, Store
from app.errors import AppError
from app.i18n import translate
from app.marketing.calendar import clashes, plans
from app.marketing.calendar.clashes import Clash
from app.marketing.calendar.layout import OCCASION, PILOT, Plan
from app.marketing.calendar.plans import Asked
from app.marketing.campaigns import words
from app.pilots.models import Pilot
from app.segments import service as segments
from app.segments.models import Segment

LOOKED_AT_MOST = 400
AUDIENCES_MOST, COUNTED_MOST = 12, 10_000


@dataclass(frozen=True, kw_only=True)
class ByItself:
    """A campaign that is sent when something happens."""

    public_id: str
    name: str
    when: str
    state: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is planned, where it clashes, and what runs by itself. `cap_day`: messages that somebody may get a day."""

    plans: list[Plan]
    clashes: list[Clash]
    by_themselves: list[ByItself]
    cap_day: int


def read(session: Session, asked: Asked) -> Contents:
    """Read all rooms that plan something."""
    sends = plans.sends(session, asked, lambda one: coming(one, asked))
    holds = policy.of(session, asked.programme.id)
    return Contents(
        plans=[
            *plans.offer_spans(session, asked), *plans.rule_days(session, asked), *_pilots(session, asked), *sends,
            *_occasions(session, asked),
        ],
        clashes=clashes.found(sends, Reached(session, asked).by_both),
        by_themselves=list(_by_themselves(session, asked)),
        cap_day=holds.cap_day,
    )  # fmt: skip


def coming(campaign: Campaign, asked: Asked) -> Sequence[str]:
    """The local times at which a campaign is sent on the days that are looked at."""
    if campaign.kind == "once":
        return [campaign.send_local[:16]] if campaign.send_local else []
    rule = recurring.parse(campaign.recurrence, {})
    if rule is None or not campaign.send_local:
        return []
    try:
        found = recurring.occurrences(rule, campaign.send_local)
        first, last = asked.first.isoformat(), asked.last.isoformat()
        # a daily campaign of twenty years is walked through, but no further than the page
        near = islice(found, LOOKED_AT_MOST * 20)
        return [local[:16] for local in near if first <= local[:10] <= last]
    except AppError:
        return []


class Reached:
    """How many people two sends reach, each pair of audiences counted once, and no further than `COUNTED_MOST`.

    Of many different audiences only the first pairs are looked at: a page must open.
    """

    def __init__(self, session: Session, asked: Asked) -> None:
        self._session, self._asked = session, asked
        self._counted: dict[tuple[object, ...], int] = {}
        self._campaigns: dict[str, Campaign] = {}

    def by_both(self, one: Plan, other: Plan) -> int:
        """People who are in both audiences; nobody where a send is over, or is the same campaign's."""
        pair = [self._campaign(plan) for plan in (one, other)]
        if pair[0].id == pair[1].id or any(found.state in {"stopped", "sent"} for found in pair):
            return 0
        key = tuple((found.segment_id, found.tier_id, tuple(found.stores)) for found in pair)
        if key not in self._counted and len(self._counted) < AUDIENCES_MOST:
            conditions = [part for found in pair for part in self._audience(found)]
            some = select(Card.id).where(*conditions).limit(COUNTED_MOST).subquery()
            self._counted[key] = self._session.scalar(select(func.count()).select_from(some)) or 0
        return self._counted.get(key, 0)

    def _campaign(self, plan: Plan) -> Campaign:
        public_id = plan.href.rsplit("/", 1)[1]
        if public_id not in self._campaigns:
            query = select(Campaign).where(Campaign.public_id == public_id)
            self._campaigns[public_id] = self._session.scalars(query).one()
        return self._campaigns[public_id]

    def _audience(self, found: Campaign) -> list[ColumnElement[bool]]:
        segment = self._session.get(Segment, found.segment_id) if found.segment_id else None
        return segments.audience(
            self._session, found.programme_id, segment=segment, tier_id=found.tier_id, stores=found.stores,
            now=self._asked.now,
        )  # fmt: skip


def _by_themselves(session: Session, asked: Asked) -> Iterator[ByItself]:
    query = select(Campaign).where(
        Campaign.programme_id == asked.programme.id,
        Campaign.kind == "triggered",
        Campaign.state.in_(("approved", "queued", "sending", "paused")),
    )
    for one in session.scalars(query.order_by(Campaign.name, Campaign.id)):
        state, tone = words.campaign_state(one.state, one.kind)
        yield ByItself(
            public_id=one.public_id, name=one.name, when=words.when_triggered(one.trigger), state=state, tone=tone
        )


def _pilots(session: Session, asked: Asked) -> list[Plan]:
    query = select(Pilot).where(
        Pilot.programme_id == asked.programme.id, Pilot.starts_on <= asked.last, Pilot.ends_on >= asked.first
    )
    return [
        Plan(
            key=f"pilot-{one.public_id}",
            kind=PILOT,
            title=one.name,
            first=one.starts_on,
            last=one.ends_on if one.ended_at is None else max(one.starts_on, asked.local_day(one.ended_at)),
            href=f"/marketing/pilots/{one.public_id}",
        )
        for one in session.scalars(query.order_by(Pilot.id))
    ]


def _occasions(session: Session, asked: Asked) -> list[Plan]:
    """Days that shops speak of, in the countries of the programme and of its stores."""
    zones = session.scalars(select(Store.timezone).where(Store.programme_id == asked.programme.id).distinct())
    known = {one.key: one for one in map(calendars.calendar_of, [asked.programme.timezone, *zones])}
    if len(known) > 1:
        known.pop(calendars.GENERAL.key, None)
    found: dict[tuple[date, str], tuple[str, list[str]]] = {}
    for calendar in known.values():
        for on, day, is_expected in calendar.between(asked.first, asked.last):
            name = translate(day.name)
            _name, places = found.setdefault((on, day.key), (f"{name} ?" if is_expected else name, []))
            places.append(translate(calendar.name))
    return [
        Plan(
            key=f"day-{key}",
            kind=OCCASION,
            title=name if len(places) == len(known) else f"{name} ({', '.join(places)})",
            first=on,
            last=on,
        )
        for (on, key), (name, places) in found.items()
    ]
