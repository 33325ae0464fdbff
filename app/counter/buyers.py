"""Who buys, as far as the rules of earning ask: tier, spend, what the caps count, and on which occasion."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from fractions import Fraction

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app import localtime
from app.cards import people
from app.cards.models import Member
from app.clubs import service as clubs
from app.earning import budgets
from app.earning.rules import Period
from app.earning.sale import Buyer, Place
from app.earning.versions import Version
from app.ledger.held import POINTS, Held
from app.ledger.models import Entry
from app.segments import service as saved
from app.value import bearer

BIRTHDAY_NEARNESS_DAYS = 3


def buyer(session: Session, card: Held, version: Version, place: Place) -> Buyer:
    """What the rules of this version may ask about the holder of a card."""
    rules, tier = version.rules, card.tier
    account = card.accounts.get((POINTS, "avail"))
    segments, occasions = _who(session, card, place) if rules.asks_who else (frozenset[str](), frozenset[str]())
    return Buyer(
        tier=tier.name if tier else None,
        tier_id=f"tier_{tier.id}" if tier else None,
        tier_factor=Fraction(tier.multiplier_num, tier.multiplier_den) if tier else Fraction(1),
        segments=segments,
        occasions=occasions,
        spent_minor=card.spent_minor,
        carry=Fraction(account.carry) if account and rules.carry else Fraction(0),
        earned=_earned(session, card, version, place.at) if rules.periods - {Period.SALE} else {},
        discount_left_minor=bearer.left_minor(session, card, place.at) if card.kind == "bearer" else None,
    )


def _who(session: Session, card: Held, place: Place) -> tuple[frozenset[str], frozenset[str]]:
    """Segments are attributes as "name=value", clubs as "club:slug" and saved segments by their ids, as they were kept
    last; occasions are days of the member's own."""
    member = session.get_one(Member, card.member_id)
    today = localtime.wall_clock(place.at, place.zone).date()
    segments = frozenset(f"{name}={value}" for name, value in member.attributes.items())
    segments |= clubs.segments(session, member.id, now=place.at) | saved.kept_of(session, card.id)
    return segments, frozenset(_occasions(session, card, member, today, place.zone))


def _occasions(session: Session, card: Held, member: Member, today: date, zone: str) -> Iterator[str]:
    birthday = people.of(session, member).birthday
    if birthday is not None:
        days = [today + timedelta(days=offset) for offset in range(-BIRTHDAY_NEARNESS_DAYS, BIRTHDAY_NEARNESS_DAYS + 1)]
        near = [day for day in days if _is_day(birthday, day)]
        if today in near:
            yield "birthday"
        if near:
            yield "birthday_week"
    if card.spent_minor == 0:
        yield "first_purchase"
    joined = localtime.wall_clock(member.created_at, zone).date()
    if joined.year < today.year and _is_day(joined.strftime("%m-%d"), today):
        yield "joined"


def _is_day(yearly: str, day: date) -> bool:
    """Whether *day* is that day of the year ("MM-DD"); 29 February is kept on the 28th in other years."""
    if yearly == "02-29" and (day + timedelta(days=1)).strftime("%m-%d") == "03-01":
        return True
    return day.strftime("%m-%d") == yearly


def _earned(session: Session, card: Held, version: Version, at: datetime) -> dict[str, int]:
    """Points earned so far in each period that a cap counts, whether or not a sale was returned since."""
    starts = {period: _start(period, version, card.timezone, at) for period in version.rules.periods if _is_own(period)}
    found: dict[str, int] = {}
    if starts:
        sums = [
            func.coalesce(func.sum(case((Entry.occurred_at >= start, Entry.points), else_=0)), 0)
            for start in starts.values()
        ]
        query = select(*sums).where(
            Entry.card_id == card.id,
            Entry.kind == "earn",
            Entry.unit == POINTS,
            Entry.recorded_at >= min(starts.values()) - timedelta(minutes=5),  # a till's clock may be that far ahead
        )
        totals = session.execute(query).one()
        found = {period.value: int(total) for period, total in zip(starts, totals, strict=True)}
    names = version.rules.budget_names
    given = budgets.used(session, card.programme_id, names) if names else {}
    return found | {f"budget:{name}": points for name, points in given.items()}


def _is_own(period: Period) -> bool:
    return period not in (Period.SALE, Period.BUDGET)


def _start(period: Period, version: Version, zone: str, at: datetime) -> datetime:
    if period is Period.WHOLE:
        return version.starts_at
    today = localtime.wall_clock(at, zone).date()
    first = {
        Period.DAY: today,
        Period.WEEK: today - timedelta(days=today.weekday()),
        Period.MONTH: today.replace(day=1),
    }[period]
    return localtime.start_of_day(first, zone)
