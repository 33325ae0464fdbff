"""What is planned in a programme between two of its days, from every room that plans something."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from babel.dates import format_time
from flask import url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns.models import Campaign, CampaignRun
from app.cards.models import Programme
from app.clubs import service as clubs
from app.earning import service as earning
from app.earning.models import RuleVersion
from app.earning.rules import Rule
from app.earning.sentences import Speaker
from app.marketing.calendar.layout import OFFER, RULE, SEND, Plan
from app.marketing.campaigns import words
from app.offers import service as offers
from app.offers.models import Offer

MOVES = ("draft", "approved", "queued", "paused")
NEVER_SHOWN = ("cancelled", "archived")
SENDS_MOST, OFFERS_MOST = 1000, 500
A_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which programme and days are looked at, when, and in which language."""

    programme: Programme
    first: date
    last: date
    now: datetime
    language: str
    may_write: bool

    def local_day(self, at: datetime) -> date:
        """The programme's day of an instant."""
        return localtime.wall_clock(at, self.programme.timezone).date()

    @property
    def days(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))


def offer_spans(session: Session, asked: Asked) -> list[Plan]:
    """Offers, from their first to their last day in their own zone."""
    found = offers.of_programme(session, asked.programme.id, limit=OFFERS_MOST)
    spans = [_offer(one, asked) for one in found if one.state not in NEVER_SHOWN]
    return [one for one in spans if one.first <= asked.last and one.last >= asked.first]


def rule_days(session: Session, asked: Asked) -> list[Plan]:
    """Rules of earning that hold in windows, such as double points: the days on which their hours begin.

    Days in a row make one stripe, unless the rule has hours.
    """
    programme = asked.programme
    names = earning.store_names(session, programme) | clubs.segment_names(session, programme.id)
    speaker = Speaker(asked.language, programme.currency, names)
    versions = earning.published(session, programme)
    opened: dict[tuple[str, str], list[date]] = {}
    rules: dict[tuple[str, str], Rule] = {}
    for day in asked.days:
        for number, rule in _windowed(versions, day, programme):
            if any(window.opens_on(day) for window in rule.when.windows):
                opened.setdefault((number, rule.name), []).append(day)
                rules[number, rule.name] = rule
    return [
        Plan(
            key=f"rule-{number}-{first.isoformat()}-{place}",
            kind=RULE,
            title=name,
            note=speaker.rule(rules[number, name]),
            first=first,
            last=last,
        )
        for place, ((number, name), days) in enumerate(sorted(opened.items()))
        for first, last in runs_of(days)
    ]


def sends(session: Session, asked: Asked, upcoming: Callable[[Campaign], Sequence[str]]) -> list[Plan]:
    """Sends of campaigns: past runs as they were meant, and what is to come as *upcoming* tells it."""
    query = select(Campaign).where(Campaign.programme_id == asked.programme.id, Campaign.kind != "triggered")
    found = session.scalars(query.order_by(Campaign.id.desc()).limit(SENDS_MOST)).all()
    past = _past(session, [one.id for one in found], asked)
    audiences = words.audiences(session, found, asked.language)
    plans = []
    for one in found:
        known = past.get(one.id, [])
        coming = [] if one.state in {"stopped", "sent"} else [local for local in upcoming(one) if local not in known]
        for local in dict.fromkeys([*known, *coming]):
            plan = _send(one, local, asked, audiences[one.id], is_past=local in known)
            if plan is not None:
                plans.append(plan)
    return plans


def runs_of(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days in growing order as (first, last) of those that follow each other."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] == A_DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def _offer(one: Offer, asked: Asked) -> Plan:
    title, _ = offers.words(one, asked.language)
    last = localtime.wall_clock(one.ends_at - timedelta(milliseconds=1), one.timezone).date()
    state, tone = words.offer_state(one.state)
    return Plan(
        key=f"offer-{one.public_id}",
        kind=OFFER,
        title=title,
        first=localtime.wall_clock(one.starts_at, one.timezone).date(),
        last=last,
        note=words.offer_audience(one),
        state=state,
        tone=tone,
        href=url_for("marketing_offers.offer", public_id=one.public_id),
    )


def _windowed(versions: Sequence[RuleVersion], day: date, programme: Programme) -> Iterator[tuple[str, Rule]]:
    """The rules with windows of the version that holds at noon of a day."""
    noon = localtime.start_of_day(day, programme.timezone) + timedelta(hours=12)
    begun = [one for one in versions if one.starts_at <= noon]
    holding = max(begun, key=lambda one: one.number) if begun else min(versions, key=lambda one: one.number)
    for rule in earning.ruleset(holding, programme.currency).rules:
        if rule.when.windows:
            yield str(holding.number), rule


def _past(session: Session, ids: Sequence[int], asked: Asked) -> Mapping[int, list[str]]:
    """The local date-times of the runs that have begun, by campaign."""
    # an occurrence is a local date-time; the days around it cover every zone
    query = select(CampaignRun.campaign_id, CampaignRun.occurrence).where(
        CampaignRun.campaign_id.in_(ids),
        CampaignRun.state.not_in(("waiting", "superseded")),
        CampaignRun.occurrence >= asked.first.isoformat(),
        CampaignRun.occurrence < (asked.last + A_DAY).isoformat(),
    )
    found: dict[int, list[str]] = {}
    for campaign_id, occurrence in session.execute(query):
        found.setdefault(campaign_id, []).append(occurrence[:16])
    return found


def _send(one: Campaign, local: str, asked: Asked, audience: str, *, is_past: bool) -> Plan | None:
    try:
        at = datetime.fromisoformat(local[:16])
    except ValueError:
        return None
    if not asked.first <= at.date() <= asked.last:
        return None
    state, tone = words.campaign_state(one.state, one.kind)
    moves = asked.may_write and one.kind == "once" and one.state in MOVES and not is_past
    return Plan(
        key=f"send-{one.public_id}-{at:%Y%m%dT%H%M}",
        kind=SEND,
        title=one.name,
        first=at.date(),
        last=at.date(),
        time=str(format_time(at.time(), "HH:mm", locale=asked.language)),
        note=gettext("%(who)s, %(clock)s", who=audience, clock=words.clock_of(one)),
        state=state,
        tone=tone,
        href=url_for("marketing_campaign.one", public_id=one.public_id),
        local=local[:16],
        moves=moves,
    )
