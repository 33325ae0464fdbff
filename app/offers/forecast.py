"""The most that an offer can come to, before it starts: from whom it is for, how often, and what one use is worth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import localtime
from app.cards.models import Card
from app.offers import terms
from app.offers.drafts import BudgetDraft, OfferDraft
from app.segments import service as segments
from app.segments.models import Segment


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Of so many `people` at most: uses, points and money; None where nothing but what people buy sets a bound."""

    people: int
    uses: int | None
    points: int | None
    money_minor: int | None


def people(session: Session, draft: OfferDraft, reached: int, *, now: datetime) -> int:
    """How many an offer is for at most. *reached*: on how many cards one that is for all or for some levels stands.

    Of a segment, who is in it now: who was in it before is kept only while the offer lives. Of one that campaigns give,
    everybody to whom they can give it.
    """
    if draft.audience == "all":
        return reached
    segment = None if draft.segment_id is None else session.get(Segment, draft.segment_id)
    wanted = segments.audience(session, draft.programme.id, segment=segment, now=now)
    if draft.tier_ids:
        wanted.append(Card.tier_id.in_(draft.tier_ids))
    return session.scalar(select(func.count()).select_from(Card).where(*wanted)) or 0


def most(draft: OfferDraft, people: int, *, stores: int = 1) -> Forecast:
    """What an offer can use, give and cost at the very most, in its whole time at so many stores."""
    given = terms.of(draft.kind, draft.terms, draft.programme.currency)
    by_people = None if draft.limit_per_card is None else people * draft.limit_per_card
    uses = _least((by_people, draft.limit_total, _budgeted(draft, "uses", stores), 0 if not people else None))
    return Forecast(
        people=people,
        uses=uses,
        points=_least((_times(uses, given.most_points), _budgeted(draft, "points", stores))),
        money_minor=_least((_times(uses, given.most_minor), _budgeted(draft, "money", stores))),
    )


def _budgeted(draft: OfferDraft, measure: str, stores: int) -> int | None:
    budgets: Sequence[BudgetDraft] = [one for one in draft.budgets if one.measure == measure]
    return _least(one.most * _periods(draft, one.period, stores) for one in budgets)


def _periods(draft: OfferDraft, period: str, stores: int) -> int:
    """How many periods of a kind the offer lasts through."""
    zone, moment = draft.programme.timezone, timedelta(microseconds=1)
    first = localtime.wall_clock(draft.starts_at, zone).date()
    last = localtime.wall_clock(draft.ends_at - moment, zone).date()
    days = (last - first).days + 1
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return {"all": 1, "month": months, "day": days, "store_day": days * max(1, stores)}[period]


def _times(uses: int | None, value: int | None) -> int | None:
    if value == 0 or uses == 0:
        return 0
    return None if uses is None or value is None else uses * value


def _least(bounds: Iterable[int | None]) -> int | None:
    return min((one for one in bounds if one is not None), default=None)
