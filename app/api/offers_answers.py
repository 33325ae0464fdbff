"""Offers as the API answers them."""

from collections.abc import Iterable, Mapping

from sqlalchemy import func, select

from app import money
from app.api import shapes
from app.api.calls import Body, Call
from app.cards import expansion
from app.cards.models import Programme, Store
from app.delivery import reach
from app.offers import budgets, forecast
from app.offers import service as offers
from app.offers.audience import whom
from app.offers.models import Offer, Redemption
from app.segments.models import Segment

TARGETED = "targeted"
MONEY = "money"


def in_full(call: Call, offer: Offer, programme: Programme) -> Body:
    """One offer with whom it reaches, how far it has come, its budgets and the most that it can come to."""
    audience = reach.crowd(call.session, whom(offer))
    found = reach.of(call.session, offer.programme_id, audience, call.settings)
    newest = next(iter(expansion.of_offer(call.session, offer.id)), None)
    change = None
    if newest is not None:
        now = expansion.progress(call.session, newest, now=call.now)
        change = shapes.bulk_change(now, reach.seconds_left(call.session, now, call.settings))
    return {
        **answered(call, [(offer, programme)])[0],
        "reach": shapes.reach(found),
        "change": change,
        "budgets": _budgets(call, offer, programme),
        "forecast": _forecast(call, offer, audience.cards),
    }


def _budgets(call: Call, offer: Offer, programme: Programme) -> list[Body]:
    day = budgets.day_of(call.now, programme.timezone)
    rows = budgets.standing(call.session, [offer.id], day=day, store_id=None).get(offer.id, [])

    def shown(measure: str, amount: int) -> str:
        return money.decimal_text(amount, programme.currency) if measure == MONEY else str(amount)

    return [
        {
            "measure": one.measure, "period": one.period, "most": shown(one.measure, one.most),
            "used": shown(one.measure, one.used), "percent": one.percent,
        }
        for one in rows
    ]  # fmt: skip


def _forecast(call: Call, offer: Offer, reached: int) -> Body:
    stores = len(offer.stores) or call.session.scalar(
        select(func.count()).where(Store.programme_id == offer.programme_id)
    )
    draft = offers.draft_of(call.session, offer)
    people = forecast.people(call.session, draft, reached, now=call.now)
    found = forecast.most(draft, people, stores=stores or 1)
    cost = found.money_minor
    return {
        "people": found.people,
        "uses": found.uses,
        "points": found.points,
        "money": None if cost is None else money.decimal_text(cost, offer.programme.currency),
    }


def answered(call: Call, rows: Iterable[tuple[Offer, Programme]]) -> list[Body]:
    """Offers as the API shows them; stores and segments of all are looked up in one statement each."""
    rows = list(rows)
    stores = shapes.store_ids(call.session, {one for offer, _ in rows for one in offer.stores})
    wanted = {offer.segment_id for offer, _ in rows if offer.segment_id is not None}
    query = select(Segment.id, Segment.public_id).where(Segment.id.in_(wanted))
    named = {row.id: row.public_id for row in call.session.execute(query)} if wanted else {}
    return [_shape(offer, programme, stores, named) for offer, programme in rows]


def _shape(offer: Offer, programme: Programme, stores: Mapping[int, str], named: Mapping[int, str]) -> Body:
    segment = shapes.tier_id(offer.tier_id) if offer.tier_id else "all"
    if offer.audience != "all":
        segment = TARGETED if offer.audience == TARGETED else named.get(offer.segment_id or 0, "")
    return {
        **shapes.offer(offer, programme.public_id),
        "segment": segment,
        "kind": offer.kind,
        "terms": offer.terms,
        "windows": offer.windows,
        "by_store": offer.by_store,
        "grace_min": offer.grace_min,
        "stores": [stores[one] for one in offer.stores if one in stores],
        "tiers": [shapes.tier_id(one) for one in offer.tiers],
        "needs_code": offer.needs_code,
        "combines": offer.combines,
        "revision": offer.revision,
        "paused_because": offer.paused_because,
    }


def use(row: Redemption, number: str, stores: Mapping[int, str], currency: str) -> Body:
    """One use of an offer."""
    return {
        "transaction": row.entry_id,
        "sale": row.sale_id,
        "card": number,
        "store": stores.get(row.store_id or 0),
        "at": shapes.moment(row.at),
        "taken_back_at": shapes.moment(row.reversed_at) if row.reversed_at else None,
        "discount": money.decimal_text(row.cost_minor, currency),
        "points": row.points,
    }
