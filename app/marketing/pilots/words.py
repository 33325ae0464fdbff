"""A pilot in the reader's words and numbers."""

from datetime import date

from babel.dates import format_date
from flask_babel import gettext, ngettext

from app import money
from app.i18n import page_language
from app.marketing.results.words import decimal
from app.pilots.reporting import Report
from app.results.stats import Trial

SHORT_FROM = 100


def kind(name: str) -> str:
    """What is tried."""
    return {
        "offer": str(gettext("Offer")),
        "campaign": str(gettext("Campaign")),
        "rule": str(gettext("Rule of earning")),
    }[name]


def state(name: str, *, is_interim: bool) -> tuple[str, str]:
    """How a pilot stands, and the tone of its badge."""
    if name == "widened":
        return str(gettext("Widened")), "good"
    if name == "stopped":
        return str(gettext("Stopped")), "warn"
    return (str(gettext("Running")), "note") if is_interim else (str(gettext("Over, to be decided")), "warn")


def goes_on(waits: str) -> str:
    """What became of the copy of a campaign that was widened. *waits*: the code of what keeps it."""
    if not waits:
        return str(gettext("Widened. A copy of the campaign goes to the other stores."))
    if waits == "approval_needed":
        return str(gettext("Widened. It goes to so many people that a second person approves the copy first."))
    return str(gettext("A copy for the other stores is written, but cannot go yet; open it to see why."))


def name(metric: str) -> str:
    """What is compared."""
    return {
        "repeat": str(gettext("Repeat purchase rate")),
        "frequency": str(gettext("Purchases of a member")),
        "basket": str(gettext("Spend of a purchase")),
    }[metric]


def definition(metric: str) -> str:
    """How it is counted."""
    first = {
        "repeat": gettext("Members with at least two purchases in the store, of those with at least one."),
        "frequency": gettext("Purchases in the store by members who made at least one."),
        "basket": gettext("What was paid for a purchase and not brought back."),
    }[metric]
    rest = gettext(
        "Each store is compared with itself, over as many days of the same weekdays before the pilot; the mean of the "
        "control stores’ changes is taken off that of the pilot’s. Stores are what is counted, not members."
    )
    return f"{first} {rest}"


def level(metric: str, value: float, currency: str) -> str:
    """The figure of a store or group."""
    if metric == "repeat":
        return decimal(value * 100, 1) + "\u00a0%"
    if metric == "frequency":
        return decimal(value, 2)
    return money.shown(round(value), currency, page_language())


def short(metric: str, value: float, currency: str) -> str:
    """As `level`, for a mark in a plot: money without its currency, which the axis names."""
    if metric != "basket":
        return level(metric, value, currency)
    units = value / 10 ** money.exponent(currency)
    return decimal(units, 0 if abs(units) >= SHORT_FROM or not units else min(2, money.exponent(currency)))


def axis(metric: str, currency: str) -> str:
    """What the side of a plot counts."""
    return f"{name(metric)}, {currency}" if metric == "basket" else name(metric)


def change(metric: str, value: float, currency: str) -> str:
    """A difference, with its sign."""
    sign = "+" if value > 0 else "−" if value < 0 else ""
    if metric == "repeat":
        return sign + decimal(abs(value) * 100, 1)
    if metric == "frequency":
        return sign + decimal(abs(value), 2)
    return sign + money.shown(round(abs(value)), currency, page_language())


def unit(metric: str) -> str:
    """What a difference is counted in."""
    return {
        "repeat": str(gettext("percentage points")),
        "frequency": str(gettext("purchases of a member")),
        "basket": str(gettext("spend of a purchase")),
    }[metric]


def verdict(metric: str, found: Trial | None, currency: str, *, is_interim: bool) -> str:
    """What may be said of one figure, in one sentence."""
    if found is None:
        return str(gettext("Too few purchases to compare yet."))
    effect = f"{change(metric, found.effect, currency)} {unit(metric)}"
    if found.limits is None:
        return str(
            gettext("%(effect)s beyond what changed elsewhere. With fewer than two stores in a group there is no "
                    "interval: it may be luck.", effect=effect)
        )  # fmt: skip
    low, high = (change(metric, value, currency) for value in (found.limits.low, found.limits.high))
    limits = {"limits": str(gettext("between %(low)s and %(high)s", low=low, high=high)) + f" {unit(metric)}"}
    if found.limits.has_zero:
        if is_interim:
            return str(gettext("No clear effect yet: %(limits)s.", **limits))
        return str(gettext("Inconclusive, no clear effect: %(limits)s.", **limits))
    if found.effect > 0:
        return str(gettext("Higher: %(limits)s.", **limits))
    return str(gettext("Lower: %(limits)s.", **limits))


def spans(found: Report) -> str:
    """Which days are compared with which."""
    if found.before is None or found.during is None:
        return str(gettext("Its first day is not over yet."))
    before, during = (f"{day(one.first)} – {day(one.last)}" for one in (found.before, found.during))
    return str(gettext("%(during)s compared with %(before)s; today is not counted yet.", during=during, before=before))


def day(on: date) -> str:
    return str(format_date(on, "d MMM y", locale=page_language()))


def stores(count: int) -> str:
    return str(ngettext("%(num)d store", "%(num)d stores", count))
