"""What the page of an offer shows besides its words: what may be done with it, its budgets, the most it can cost."""

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import money
from app.cards.models import Programme, Store
from app.earning import words as earning_words
from app.marketing.offers import words
from app.offers import budgets, forecast
from app.offers.models import Offer, Redemption
from app.offers.service import OfferDraft

# what may be done in which state; each is a form of its own
TURNS = {
    "approve": ("draft",),
    "schedule": ("approved",),
    "pause": ("scheduled", "live"),
    "resume": ("paused",),
    "archive": ("ended", "cancelled"),
}
CHANGES = ("draft", "approved", "scheduled", "live", "paused")
CALLS_OFF = ("draft", "approved", "scheduled", "live", "paused")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One budget as a bar: `percent` of it is used."""

    label: str
    used: str
    most: str
    percent: int
    is_warned: bool


@dataclass(frozen=True, kw_only=True)
class Most:
    """The most that an offer can come to, in words; "" where only what people buy sets a bound."""

    people: int
    uses: str
    money: str
    points: str


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What the uses of an offer took off and gave, net of what was taken back, and how many cards used it."""

    cards: int
    money: str
    points: str


def turns(offer: Offer) -> list[tuple[str, str, str]]:
    """What may be done now: the name, the words on the button, and its tone."""
    labels = {
        "approve": gettext("Approve"),
        "schedule": gettext("Schedule"),
        "pause": gettext("Pause"),
        "resume": gettext("Let it go on"),
        "archive": gettext("Put it away"),
    }
    main = ("approve", "schedule", "resume")
    return [
        (name, labels[name], "primary" if name in main else "")
        for name, states in TURNS.items()
        if offer.state in states
    ]


def bars(session: Session, offer: Offer, language: str, now: datetime) -> list[Bar]:
    """An offer's budgets in the period that runs now, by the programme's clock."""
    programme = offer.programme
    rows = budgets.standing(session, [offer.id], day=budgets.day_of(now, programme.timezone), store_id=None)
    names, times = words.measures(), words.periods()
    return [
        Bar(
            label=f"{names[one.measure]} · {times[one.period]}",
            used=_shown(one.used, one.measure, programme.currency, language),
            most=_shown(one.most, one.measure, programme.currency, language),
            percent=one.percent,
            is_warned=one.is_warned,
        )
        for one in rows.get(offer.id, [])
        if one.period != "store_day"
    ]


def most(session: Session, draft: OfferDraft, people: int, language: str) -> Most:
    """The most that a draft can come to."""
    stores = len(draft.stores) or _count(session, draft.programme)
    found = forecast.most(draft, people, stores=stores)
    currency = draft.programme.currency
    return Most(
        people=people,
        uses=_bound(found.uses, "uses", currency, language),
        money=_bound(found.money_minor, "money", currency, language),
        points=_bound(found.points, "points", currency, language),
    )


def spent(session: Session, offer: Offer, language: str) -> Spent:
    """What the offer has cost and given so far."""
    query = select(
        func.count(Redemption.card_id.distinct()),
        func.coalesce(func.sum(Redemption.cost_minor), 0),
        func.coalesce(func.sum(Redemption.points), 0),
    ).where(Redemption.offer_id == offer.id, Redemption.reversed_at.is_(None))
    cards, cost_minor, points = session.execute(query).one()
    currency = offer.programme.currency
    return Spent(
        cards=cards,
        money=money.shown(int(cost_minor), currency, language),
        points=earning_words.number(int(points), language),
    )


def _count(session: Session, programme: Programme) -> int:
    return session.scalar(select(func.count()).where(Store.programme_id == programme.id)) or 1


def _bound(amount: int | None, measure: str, currency: str, language: str) -> str:
    return "" if amount is None else _shown(amount, measure, currency, language)


def _shown(amount: int, measure: str, currency: str, language: str) -> str:
    if measure == "money":
        return money.shown(amount, currency, language)
    return earning_words.number(amount, language)
