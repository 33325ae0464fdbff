"""What a campaign would do if it were launched: said before anybody is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import audience, bulk, caps, drafting, holdout, planning, runs, timing
from app.campaigns.audience import Person, Setting
from app.campaigns.caps import Caps, Told
from app.campaigns.drafting import Draft
from app.campaigns.models import Campaign
from app.cards.models import Card
from app.offers import terms
from app.offers.models import Offer, OfferBudget
from app.outbox.models import Target
from app.outbox.rules import RATE_SHARE_PERCENT, Lane
from app.settings import Settings

COUNTED_MOST = 20_000


@dataclass(frozen=True, kw_only=True)
class Wave:
    """People who are told in one hour of their own clocks. `local`: its beginning, such as "2026-12-24T10:00".

    `first_at`: the earliest instant of all zones in which that hour begins for somebody.
    """

    local: str
    first_at: datetime
    people: int


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Audience = told + held back + held back of everything + the sum of `reasons`.

    `is_exact`: of a large audience all but its size is estimated from a sample. `most_minor`: the most that its offer
    may cost, None where only the baskets say. `needed` sizes are for whoever shows the page (`results`).
    """

    audience: int
    eligible: int
    told: int
    held_back: int
    held_back_of_all: int
    holdout_bp: int
    global_bp: int
    reasons: dict[str, int]
    moved: int
    waves: tuple[Wave, ...]
    zones: dict[str, int]
    is_exact: bool
    apple_phones: int
    google_cards: int
    apple_seconds: int
    google_seconds: int
    most_minor: int | None
    currency: str

    @property
    def seconds(self) -> int:
        """How long it takes from the first push to the last, both vendors at once."""
        return max(self.apple_seconds, self.google_seconds)


def forecast(session: Session, of: Campaign | Draft, settings: Settings, *, now: datetime) -> Forecast:
    """Who of a campaign's audience would be told when, who not and why, how long that takes, and what it may cost."""
    campaign = _campaign(of) if isinstance(of, Draft) else of
    with session.no_autoflush:
        return _forecast(session, campaign, settings, now)


def _forecast(session: Session, campaign: Campaign, settings: Settings, now: datetime) -> Forecast:
    setting = audience.setting(session, campaign)
    size = audience.count(session, campaign, now=now)
    people = _looked_at(session, campaign, size, now)
    held = audience.shares(session, campaign, now=now)
    local = _local(campaign, now)
    until = runs.worth_until(session, campaign)
    judge = planning.Judge(setting=setting, shares=held, local=local or "", worth_until=until, now=now)
    plan = _planned(session, judge, people)
    scale = size / len(people) if people else 1.0
    apple, google = _wallets(session, [one.card_id for one, _ in plan.leaving])
    apple, google = round(apple * scale), round(google * scale)
    told = round(len(plan.leaving) * scale)
    return Forecast(
        audience=size,
        eligible=round((len(plan.leaving) + plan.held + plan.held_of_all) * scale),
        told=told,
        held_back=round(plan.held * scale),
        held_back_of_all=round(plan.held_of_all * scale),
        holdout_bp=held.campaign_bp,
        global_bp=held.global_bp,
        reasons={reason: round(number * scale) for reason, number in sorted(plan.reasons.items())},
        moved=round(plan.moved * scale),
        waves=_waves(plan, setting, scale),
        zones={zone: round(number * scale) for zone, number in sorted(plan.zones.items())},
        is_exact=scale == 1.0,
        apple_phones=apple,
        google_cards=google,
        apple_seconds=-(-apple // settings.bulk_apple_rate),
        google_seconds=-(-google * 100 // (settings.google_rate * RATE_SHARE_PERCENT[Lane.BULK])),
        most_minor=_most(session, campaign, setting, told),
        currency=setting.programme.currency,
    )


@dataclass(kw_only=True)
class _Plan:
    leaving: list[tuple[Person, datetime]]
    reasons: Counter[str]
    zones: Counter[str]
    held: int = 0
    held_of_all: int = 0
    moved: int = 0


def _planned(session: Session, judge: planning.Judge, people: Sequence[Person]) -> _Plan:
    """As a run would plan them, with the caps as they would be when each message leaves."""
    plan = _Plan(leaving=[], reasons=Counter(), zones=Counter())
    told = caps.told(session, [one.card_id for one in people], now=judge.now)
    limits = Caps(policy=judge.setting.policy, purpose=judge.setting.campaign.purpose)
    for person in people:
        _card, state, arm, reason, note, due_ms, _at = judge.row(person)
        if reason == "holdout":
            plan.held += arm == holdout.HELD_BACK
            plan.held_of_all += arm == ""
            continue
        due_at = datetime.fromtimestamp(due_ms / 1000, UTC)
        is_soon = due_at - judge.now < caps.DAY
        if state == "planned" and is_soon:
            before = told.get(person.card_id, Told())
            reason = limits.reason(before, person.per_week)
            moved_to = limits.moved_to(before, reason, due_at) if reason else None
            reason, due_at = ("", moved_to) if moved_to else (reason, due_at)
        if reason:
            plan.reasons[reason] += 1
            continue
        plan.leaving.append((person, due_at))
        plan.zones[judge.setting.own_zone(person.clock)] += 1
        plan.moved += note == "quiet_hours_moved"
    return plan


def _waves(plan: _Plan, setting: Setting, scale: float) -> tuple[Wave, ...]:
    number: Counter[str] = Counter()
    first: dict[str, datetime] = {}
    for person, due_at in plan.leaving:
        local = localtime.wall_clock(due_at, setting.own_zone(person.clock)).replace(minute=0, second=0, microsecond=0)
        hour = timing.as_text(local)
        number[hour] += 1
        first[hour] = min(first.get(hour, due_at), due_at)
    return tuple(
        Wave(local=hour, first_at=first[hour], people=round(count * scale)) for hour, count in sorted(number.items())
    )


def _looked_at(session: Session, campaign: Campaign, size: int, now: datetime) -> list[Person]:
    """All of a small audience; of a large one those whose ids leave a certain rest, spread over all of it."""
    wanted = audience.conditions(session, campaign, now=now)
    if size > COUNTED_MOST:
        wanted = [*wanted, Card.id % -(-size // COUNTED_MOST) == 0]
    return list(audience.read(session, audience.people(*wanted).order_by(Card.id)))


def _wallets(session: Session, ids: Sequence[int]) -> tuple[int, int]:
    """Addresses at Apple and at Google that hold these cards."""
    query = (
        select(Target.channel, func.count())
        .where(Target.card_id.in_(bulk.these(session, ids)), Target.state != "gone")
        .group_by(Target.channel)
    )
    found = {channel: number for channel, number in session.execute(query)}  # noqa: C416  rows are no pairs to mypy
    return found.get("apple", 0), found.get("google", 0)


def _local(campaign: Campaign, now: datetime) -> str | None:
    """The local time for which people are judged: the next one; none for triggers and for now."""
    if campaign.kind == "triggered" or campaign.send_local in {"", timing.NOW}:
        return None
    return runs.next_occurrence(campaign, after=now)


def _most(session: Session, campaign: Campaign, setting: Setting, told: int) -> int | None:
    """The most that the offer may cost with these people: each use at its dearest, no more than its limits allow."""
    if campaign.offer_id is None:
        return 0
    offer = session.get_one(Offer, campaign.offer_id)
    budget = session.scalar(
        select(OfferBudget.most).where(
            OfferBudget.offer_id == offer.id, OfferBudget.measure == "money", OfferBudget.period == "all"
        )
    )
    each = terms.of(offer.kind, offer.terms, setting.programme.currency).most_minor
    if each == 0:
        return 0
    uses = None if offer.limit_per_card is None else told * offer.limit_per_card
    if offer.limit_total is not None:
        uses = offer.limit_total if uses is None else min(uses, offer.limit_total)
    whole = None if uses is None or each is None else uses * each
    known = [one for one in (whole, budget) if one is not None]
    return min(known) if known else None


def _campaign(draft: Draft) -> Campaign:
    """A draft as a campaign that is in no database; whoever it holds back is not known before it is saved."""
    drafting.check(draft)
    return Campaign(id=0, public_id="", programme_id=draft.programme.id, created_by="", **drafting.columns(draft))
