"""Offers in plain sentences: what they give, when, where, to whom, and how they stand."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from babel.dates import format_date
from flask_babel import gettext

from app import money
from app.cards.models import Store
from app.earning import words
from app.offers import hours, terms
from app.offers.models import Offer
from app.offers.terms import Terms
from app.segments.models import Segment

TONES = {"live": "good", "paused": "warn", "cancelled": "warn"}
MONDAY = date(2024, 1, 1)
RUN = 3


def state(name: str) -> str:
    """The state as a word."""
    known: dict[str, str] = {
        "draft": gettext("Draft"),
        "approved": gettext("Approved"),
        "scheduled": gettext("Scheduled"),
        "live": gettext("Live"),
        "paused": gettext("Paused"),
        "ended": gettext("Ended"),
        "cancelled": gettext("Cancelled"),
        "archived": gettext("Put away"),
    }
    return known[name]


def kinds() -> list[tuple[str, str]]:
    """What an offer can give, to choose from."""
    return [
        ("text", gettext("Only words; the till hands it over")),
        ("percent", gettext("A share off the purchase")),
        ("amount", gettext("An amount off the purchase")),
        ("product", gettext("A product cheaper or free")),
        ("multiplier", gettext("More points for the purchase")),
        ("bonus", gettext("Extra points")),
        ("gift", gettext("A gift")),
    ]


def combinations() -> list[tuple[str, str]]:
    """How an offer goes with others."""
    return [
        ("best", gettext("Only the best offer of a purchase is taken")),
        ("all", gettext("Goes with any other offer")),
        ("alone", gettext("Goes with no other offer")),
    ]


def measures() -> dict[str, str]:
    """What a budget counts."""
    return {"money": gettext("Money"), "uses": gettext("Uses"), "points": gettext("Points")}


def periods() -> dict[str, str]:
    """Over which time a budget counts."""
    return {
        "all": gettext("In all"),
        "month": gettext("In a month"),
        "day": gettext("In a day"),
        "store_day": gettext("In a day at each shop"),
    }


def weekday(number: int, language: str) -> str:
    """A day of the week, short; 1 is Monday."""
    return str(format_date(MONDAY + timedelta(days=number - 1), "EEE", locale=language))


def facts(
    offer: Offer, currency: str, language: str, *, stores: Sequence[Store], segment: Segment | None
) -> list[tuple[str, str]]:
    """What there is to know of an offer besides its words and its dates, as (label, value) pairs."""
    given = terms.of(offer.kind, offer.terms, currency)
    found = [(gettext("Gives"), what(given, currency, language))]
    found += _conditions(given, currency, language)
    if offer.windows:
        found.append((gettext("Hours"), "; ".join(_hours(one, language) for one in offer.windows)))
    if offer.by_store:
        found.append((gettext("Clock"), gettext("Each shop's own")))
    if offer.grace_min:
        found.append((gettext("For the queue"), gettext("%(minutes)s minutes more", minutes=offer.grace_min)))
    if offer.stores:
        names = [one.name for one in stores if one.id in set(offer.stores)]
        found.append((gettext("Shops"), ", ".join(names)))
    if segment is not None:
        found.append((gettext("Segment"), segment.name))
    found += _limits(offer, language)
    if offer.needs_code:
        found.append((gettext("Code"), gettext("Only with a code")))
    found.append((gettext("With other offers"), dict(combinations())[offer.combines]))
    return found


def what(given: Terms, currency: str, language: str) -> str:
    """What one use gives, in a few words."""
    share = words.number(f"{float(given.percent * 100):g}", language)
    if given.kind == "percent":
        return str(gettext("%(share)s %% off", share=share))
    if given.kind == "amount":
        return str(gettext("%(money)s off", money=money.shown(given.amount_minor, currency, language)))
    if given.kind == "product":
        return str(
            gettext("%(pieces)s pieces at %(share)s %% off, the cheapest first", pieces=given.pieces, share=share)
        )
    if given.kind == "multiplier":
        return str(gettext("%(factor)s× points", factor=words.number(f"{float(given.factor):g}", language)))
    if given.kind == "bonus":
        return str(gettext("%(points)s extra points", points=words.number(given.points, language)))
    return given.gift or str(gettext("What its words say"))


def _conditions(given: Terms, currency: str, language: str) -> list[tuple[str, str]]:
    found = []
    if given.at_most_minor is not None:
        found.append((gettext("At most"), money.shown(given.at_most_minor, currency, language)))
    if given.minimum_minor:
        found.append((gettext("From a purchase of"), money.shown(given.minimum_minor, currency, language)))
    if not given.only.is_all:
        names = sorted(given.only.products) + sorted(given.only.categories)
        found.append((gettext("Only for"), ", ".join(names)))
    if given.cost_minor:
        found.append((gettext("Costs us"), money.shown(given.cost_minor, currency, language)))
    return found


def _limits(offer: Offer, language: str) -> list[tuple[str, str]]:
    found = []
    if offer.limit_per_card is not None:
        found.append((gettext("Uses for each card"), words.number(offer.limit_per_card, language)))
    if offer.limit_total is not None:
        found.append((gettext("Uses in all"), words.number(offer.limit_total, language)))
    return found


def _hours(raw: Mapping[str, object], language: str) -> str:
    window = hours.kept([raw])[0]
    if len(window.weekdays) == len(range(1, 8)):
        return f"{gettext('every day')} {hours.hours_of(window)}"
    days = sorted(window.weekdays)
    names = [weekday(day, language) for day in days]
    if len(days) >= RUN and days[-1] - days[0] == len(days) - 1:
        return f"{names[0]}–{names[-1]} {hours.hours_of(window)}"
    return f"{', '.join(names)} {hours.hours_of(window)}"
