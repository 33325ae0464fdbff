"""What a purchase and a member are worth, from the purchases that are left when returns are taken off."""

from fractions import Fraction

from app import i18n
from app.reports import arithmetic, beside, monthly
from app.reports.monthly import Buyers
from app.reports.outcome import Ask, Outcome, Units, Value
from app.reports.periods import Period


def value(ask: Ask) -> Outcome:
    """What a member is worth, by the plainest of estimates."""
    now, before = value_figures(ask, ask.period), value_figures(ask, ask.period.before)
    notes = [] if now["clv"] is not None else [
        i18n.text(ask.language, "Margin and years a member stays are not set, or nobody bought: there is no estimate.")
    ]  # fmt: skip
    return beside.outcome(ask, list(now), now, before, notes=notes)


def value_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """Mean purchase, purchases in a year, and the two multiplied with margin and years."""
    people, worth = _bought(ask, period), ask.worth
    yearly = arithmetic.per_year(people.sales, people.buyers, period.days_until(ask.place.today))
    mean = arithmetic.share(people.spend_minor, people.sales)
    factors = (mean, worth.margin, yearly, worth.member_years)
    return {
        "mean_sale": _money(ask, mean),
        "sales_per_year": yearly,
        "clv": _money(ask, arithmetic.product(*factors)),
    }


def mean_sale(ask: Ask, period: Period) -> Value:
    """What was paid for a purchase of the period, in the mean; None without one."""
    people = _bought(ask, period)
    return _money(ask, arithmetic.share(people.spend_minor, people.sales))


def _bought(ask: Ask, period: Period) -> Buyers:
    return monthly.bought(ask.session, ask.place.programme_id, period, ask.store_id)


def _money(ask: Ask, minor: Fraction | None) -> Value:
    return None if minor is None else Units(arithmetic.rounded(minor), ask.currency)
