"""What a campaign came to, in the reader's words and numbers."""

from babel.numbers import format_decimal
from flask_babel import gettext

from app import money
from app.i18n import page_language
from app.marketing.campaigns import words
from app.results.stats import Estimate, Net
from app.results.verdict import SHARES, Effect, Results, Says

number, moment = words.number, words.moment


def verdict(found: Results, currency: str) -> str:
    """What may be said of the effect, in one sentence."""
    effect = found.effect
    if effect.says is Says.NOBODY_YET:
        return str(gettext("Nobody was told yet."))
    if effect.by is None:
        if not found.counts.held_back.people:
            return str(gettext("Nobody was held back, so nobody can know what it changed."))
        return str(gettext("Too few people to compare: nobody can know what it changed."))
    limits = {"limits": between(effect, currency)}
    sentences = {
        (Says.UNCLEAR, True): gettext("No clear effect yet: %(limits)s.", **limits),
        (Says.UNCLEAR, False): gettext("Inconclusive, no clear effect: %(limits)s.", **limits),
        (Says.MORE, True): gettext("So far more than without it: %(limits)s.", **limits),
        (Says.MORE, False): gettext("It worked: %(limits)s.", **limits),
        (Says.LESS, True): gettext("So far less than without it: %(limits)s.", **limits),
        (Says.LESS, False): gettext("It did harm: %(limits)s.", **limits),
    }
    return str(sentences[effect.says, found.is_interim])


def between(effect: Effect, currency: str) -> str:
    """`between −1.2 and +3.4 visits per 100`."""
    if effect.by is None:
        return ""
    low, high = (signed(effect, value, currency) for value in (effect.by.low, effect.by.high))
    sentences = {
        "purchase": gettext("between %(low)s and %(high)s buyers per 100", low=low, high=high),
        "redemption": gettext("between %(low)s and %(high)s users of the offer per 100", low=low, high=high),
        "visits": gettext("between %(low)s and %(high)s visits per 100", low=low, high=high),
        "spend": gettext("between %(low)s and %(high)s for each member", low=low, high=high),
    }
    return str(sentences[effect.metric])


def unit(metric: str) -> str:
    """What an effect is counted in."""
    units: dict[str, str] = {
        "purchase": gettext("buyers per 100 members"),
        "redemption": gettext("users of the offer per 100 members"),
        "visits": gettext("visits per 100 members"),
        "spend": gettext("spend for each member"),
    }
    return units[metric]


def question(metric: str, days: int) -> str:
    """What the campaign is judged by."""
    name = dict(words.goals())[metric]
    return str(gettext("Judged by %(goal)s within %(days)s days", goal=name, days=days))


def definition(metric: str) -> str:
    """How the goal is counted."""
    definitions: dict[str, str] = {
        "purchase": gettext("Members with at least one purchase of which anything was kept, of all who were assigned."),
        "redemption": gettext("Members who used the offer and did not give it back. Who is held back cannot use it, so "
                              "this says little about what the campaign changed."),
        "visits": gettext("Purchases of which anything was kept, for 100 members who were assigned."),
        "spend": gettext("What was paid and not brought back, for each member who was assigned. One member’s spend "
                         "counts up to the 99th percentile of all who bought, so that one large basket decides "
                         "nothing."),
    }  # fmt: skip
    return definitions[metric]


def signed(effect: Effect, value: float, currency: str) -> str:
    """An effect, or a limit of it, with its sign: shares and visits for 100 members, money for one."""
    if effect.metric == "spend":
        return _with_sign(money.shown(round(abs(value)), currency, page_language()), value)
    decimals = decimals_of(effect.by) if effect.by else 1
    return _with_sign(decimal(abs(value) * 100, decimals), value if round(value * 100, decimals) else 0)


def level(effect: Effect, value: float | None, currency: str) -> str:
    """The figure of one group."""
    if value is None:
        return "–"
    if effect.metric == "spend":
        return money.shown(round(value), currency, page_language())
    return decimal(value * 100, 2) + ("\u00a0%" if effect.metric in SHARES else "")


def decimals_of(found: Estimate) -> int:
    """Two where a limit is below one in a hundred, else one."""
    return 2 if min(abs(found.low), abs(found.high)) < 0.01 else 1


def lift(found: Estimate | None) -> tuple[str, str]:
    """The relative lift and its limits; not computable where somebody had no buyer."""
    if found is None:
        return str(gettext("not computable")), ""
    low, high = (_with_sign(decimal(abs(one) * 100, 1), one) for one in (found.low, found.high))
    value = _with_sign(decimal(abs(found.value) * 100, 1), found.value) + "\u00a0%"
    return value, str(gettext("between %(low)s and %(high)s percent", low=low, high=high))


def people(found: Estimate) -> tuple[str, str]:
    """Incremental buyers and their limits."""
    value, low, high = (_with_sign(number(abs(round(one))), round(one)) for one in (found.value, found.low, found.high))
    return value, str(gettext("between %(low)s and %(high)s", low=low, high=high))


def net(found: Net, currency: str) -> tuple[str, str]:
    """What it brought and its limits."""
    value, low, high = (
        _with_sign(money.shown(abs(one), currency, page_language()), one)
        for one in (found.value, found.low, found.high)
    )
    return value, str(gettext("between %(low)s and %(high)s", low=low, high=high))


def decimal(value: float, decimals: int) -> str:
    """A number as the reader writes it, with so many decimals."""
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return str(format_decimal(round(value, decimals), format=pattern, locale=page_language()))


def _with_sign(text: str, value: float) -> str:
    return f"+{text}" if value > 0 else f"−{text}" if value < 0 else text
