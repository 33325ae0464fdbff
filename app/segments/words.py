"""Rules as sentences, in the language of whoever reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

from babel.dates import format_date

from app import i18n, localtime, money
from app.earning.words import number as whole
from app.segments.references import Choices
from app.segments.rules import Group, Leaf, Not, Rule
from app.segments.shapes import SHAPES


@dataclass(frozen=True, kw_only=True)
class Speaking:
    """The language, the programme's currency and zone, and the names of its stores, tiers and so on by value."""

    language: str
    currency: str
    timezone: str = "UTC"
    choices: Choices = field(default_factory=dict)


def sentence(rule: Rule, speaking: Speaking) -> str:
    """A whole rule as one sentence; groups inside groups stand in brackets."""
    if isinstance(rule, Leaf):
        return of_leaf(rule, speaking)
    if isinstance(rule, Not):
        return i18n.text(speaking.language, "not (%(rule)s)", rule=sentence(rule.part, speaking))
    if not rule.parts:
        return i18n.text(speaking.language, "everybody")
    parts = [sentence(part, speaking) for part in rule.parts]
    parts = [f"({text})" if isinstance(part, Group) else text for part, text in zip(rule.parts, parts, strict=True)]
    between = i18n.text(speaking.language, "and") if rule.how == "all" else i18n.text(speaking.language, "or")
    return f" {between} ".join(parts)


def of_group(rule: Group | Not, language: str) -> str:
    """What a group says of the rules below it."""
    if isinstance(rule, Not):
        return i18n.text(language, "This is not so")
    return i18n.text(language, "All of these") if rule.how == "all" else i18n.text(language, "At least one of these")


def of_leaf(leaf: Leaf, speaking: Speaking) -> str:
    """One question with its comparison: "Visits in the last 30 days: 3 or more"."""
    language, shape = speaking.language, SHAPES[leaf.fact]
    values = {"days": whole(leaf.days, language), "name": _name(leaf, speaking), "value": _values(leaf, speaking)}
    if shape.kind == "flag":
        yes, no, *without = _flags(language)[leaf.fact]
        if without and not leaf.values:
            yes, no = without[0], without[1]
        said = (yes if leaf.op == "yes" else no) % values
        if not leaf.days or leaf.fact == "birthday":
            return said
        return i18n.text(language, "%(what)s, in the last %(days)s days", what=said, days=values["days"])
    what = _measures(language)[leaf.fact] % values
    if leaf.days and leaf.fact != "points_expiring":
        what = i18n.text(language, "%(what)s in the last %(days)s days", what=what, days=values["days"])
    return _compared(leaf.op, shape.kind, language) % {"what": what, "value": values["value"]}


def label(fact: str, language: str) -> str:
    """A question's name, as it is chosen."""
    return _labels(language)[fact]


def heading(name: str, language: str) -> str:
    """Under which questions stand."""
    return {
        "buying": i18n.text(language, "What they buy"),
        "place": i18n.text(language, "Where"),
        "card": i18n.text(language, "Their card"),
        "given": i18n.text(language, "What they were given"),
        "person": i18n.text(language, "Who they are"),
    }[name]


def comparison(op: str, kind: str, language: str) -> str:
    """How a question is compared, as it is chosen."""
    if kind == "choice":
        return i18n.text(language, "is") if op == "is" else i18n.text(language, "is not")
    return {
        "at_least": i18n.text(language, "at least"),
        "at_most": i18n.text(language, "at most"),
        "is": i18n.text(language, "exactly"),
        "is_not": i18n.text(language, "not"),
        "from": i18n.text(language, "on or after"),
        "before": i18n.text(language, "before"),
        "yes": i18n.text(language, "yes"),
        "no": i18n.text(language, "no"),
    }[op]


def chosen(value: str, source: str, speaking: Speaking) -> str:
    """A value that was chosen, by its name."""
    if source == "tiers" and value == "none":
        return i18n.text(speaking.language, "no tier")
    return speaking.choices.get(source, {}).get(value) or known(value, speaking.language) or value


@cache
def _known(language: str) -> Mapping[str, str]:
    return {
        "apple": "Apple Wallet",
        "google": "Google Wallet",
        "any": i18n.text(language, "any wallet"),
        "none": i18n.text(language, "no wallet"),
        "tr": "Türkçe",
        "en": "English",
        "id": "Bahasa Indonesia",
        "marketing.wallet": i18n.text(language, "offers on the card"),
        "marketing.email": i18n.text(language, "offers by e-mail"),
        "marketing.sms": i18n.text(language, "offers by text message"),
        "profiling.any": i18n.text(language, "offers chosen by what they buy"),
        "location.wallet": i18n.text(language, "the card near a shop"),
        "survey.wallet": i18n.text(language, "questions on how it was"),
    }


def known(value: str, language: str) -> str:
    """A value that is the same in every programme, in words; empty if it is none of them."""
    return _known(language).get(value, "")


def own(leaf: Leaf, found: Any, speaking: Speaking) -> str:
    """What a member has to say to a question: "2", "1 March 2026", "Kadıköy"."""
    language, shape = speaking.language, SHAPES[leaf.fact]
    if isinstance(found, datetime):
        found = localtime.wall_clock(found, speaking.timezone).date()
    if isinstance(found, date):
        return _date(found, language)
    if found is None or found == "":
        return i18n.text(language, "nothing")
    if shape.kind == "money":
        return money.shown(int(found), speaking.currency, language)
    if shape.kind == "number":
        return whole(int(found), language)
    return chosen(str(found), shape.source, speaking)


def _date(day: date, language: str) -> str:
    return str(format_date(day, format="long", locale=i18n.nearest(language)))


def _values(leaf: Leaf, speaking: Speaking) -> str:
    shape = SHAPES[leaf.fact]
    if shape.kind == "number":
        return whole(leaf.number, speaking.language)
    if shape.kind == "money":
        return money.shown(leaf.number, speaking.currency, speaking.language)
    if shape.kind == "date":
        return _date(date.fromisoformat(leaf.value), speaking.language)
    return listed([chosen(value, shape.source, speaking) for value in leaf.values], speaking.language)


def listed(values: Sequence[str], language: str) -> str:
    """ "Gold, Silver or Bronze"."""
    if len(values) < 2:
        return "".join(values)
    return i18n.text(language, "%(some)s or %(last)s", some=", ".join(values[:-1]), last=values[-1])


def _name(leaf: Leaf, speaking: Speaking) -> str:
    return chosen(leaf.name, SHAPES[leaf.fact].source, speaking) if leaf.name else ""


def _compared(op: str, kind: str, language: str) -> str:
    if kind == "choice":
        said = i18n.text(language, "%(what)s: %(value)s")
        return said if op == "is" else i18n.text(language, "%(what)s: not %(value)s")
    return {
        "at_least": i18n.text(language, "%(what)s: %(value)s or more"),
        "at_most": i18n.text(language, "%(what)s: %(value)s or less"),
        "is": i18n.text(language, "%(what)s: exactly %(value)s"),
        "is_not": i18n.text(language, "%(what)s: not %(value)s"),
        "from": i18n.text(language, "%(what)s: on or after %(value)s"),
        "before": i18n.text(language, "%(what)s: before %(value)s"),
    }[op]


@cache
def _measures(language: str) -> Mapping[str, str]:
    """What is compared with something, by question."""
    return {
        "visits": i18n.text(language, "Visits"),
        "spend": i18n.text(language, "Money spent"),
        "last_visit": i18n.text(language, "Days since the last visit"),
        "first_purchase": i18n.text(language, "Days since the first purchase"),
        "recency": i18n.text(language, "Recency score, 5 is most recent"),
        "frequency": i18n.text(language, "Frequency score, 5 is most often"),
        "monetary": i18n.text(language, "Spend score, 5 is most"),
        "favourite_product": i18n.text(language, "Product bought most often"),
        "favourite_category": i18n.text(language, "Category bought most often"),
        "favourite_store": i18n.text(language, "Store used most"),
        "home_store": i18n.text(language, "Store where they joined"),
        "region": i18n.text(language, "Region"),
        "tier": i18n.text(language, "Tier"),
        "balance": i18n.text(language, "Points to spend"),
        "points_expiring": i18n.text(language, "Points that expire within %(days)s days"),
        "stamps": i18n.text(language, "Stamps on “%(name)s”"),
        "wallet": i18n.text(language, "Card is in"),
        "language": i18n.text(language, "Language"),
        "joined": i18n.text(language, "Joined"),
        "member_for": i18n.text(language, "Days since they joined"),
        "source": i18n.text(language, "Joined by"),
        "attribute": i18n.text(language, "Attribute “%(name)s”"),
        "survey": i18n.text(language, "Answer to “%(name)s”"),
    }


@cache
def _flags(language: str) -> Mapping[str, tuple[str, ...]]:
    """What is so or not, by question; and both without anything named, where that may be."""
    return {
        "active": (
            i18n.text(language, "Bought in the last 90 days"),
            i18n.text(language, "Bought nothing in the last 90 days"),
        ),
        "lapsed": (
            i18n.text(language, "Has stayed away for twice their usual gap"),
            i18n.text(language, "Has not stayed away for twice their usual gap"),
        ),
        "bought_product": (
            i18n.text(language, "Bought the product “%(value)s”"),
            i18n.text(language, "Did not buy the product “%(value)s”"),
        ),
        "bought_category": (
            i18n.text(language, "Bought from the category “%(value)s”"),
            i18n.text(language, "Did not buy from the category “%(value)s”"),
        ),
        "event": (
            i18n.text(language, "Had points for “%(value)s”"),
            i18n.text(language, "Had no points for “%(value)s”"),
        ),
        "store_used": (
            i18n.text(language, "Bought at %(value)s"),
            i18n.text(language, "Did not buy at %(value)s"),
        ),
        "offer_used": (
            i18n.text(language, "Used the offer “%(value)s”"),
            i18n.text(language, "Did not use the offer “%(value)s”"),
            i18n.text(language, "Used an offer"),
            i18n.text(language, "Used no offer"),
        ),
        "reward_taken": (
            i18n.text(language, "Took the reward “%(value)s”"),
            i18n.text(language, "Did not take the reward “%(value)s”"),
            i18n.text(language, "Took a reward"),
            i18n.text(language, "Took no reward"),
        ),
        "campaign": (
            i18n.text(language, "Was sent the campaign “%(value)s”"),
            i18n.text(language, "Was not sent the campaign “%(value)s”"),
            i18n.text(language, "Was sent a campaign"),
            i18n.text(language, "Was sent no campaign"),
        ),
        "club": (
            i18n.text(language, "Is in the club %(value)s"),
            i18n.text(language, "Is not in the club %(value)s"),
        ),
        "birthday": (
            i18n.text(language, "Birthday within %(days)s days"),
            i18n.text(language, "No birthday within %(days)s days"),
        ),
        "consent": (
            i18n.text(language, "Agreed to: %(value)s"),
            i18n.text(language, "Did not agree to: %(value)s"),
        ),
    }


@cache
def _labels(language: str) -> Mapping[str, str]:
    """Questions by name, short, for choosing one."""
    return {
        **_measures(language),
        "points_expiring": i18n.text(language, "Points that expire soon"),
        "stamps": i18n.text(language, "Stamps on a stamp card"),
        "attribute": i18n.text(language, "Attribute"),
        "survey": i18n.text(language, "Answer to a question"),
        "active": i18n.text(language, "Active (bought in the last 90 days)"),
        "lapsed": i18n.text(language, "Lapsed (away for twice their usual gap)"),
        "bought_product": i18n.text(language, "Bought a product"),
        "bought_category": i18n.text(language, "Bought from a category"),
        "event": i18n.text(language, "Had points for an event"),
        "store_used": i18n.text(language, "Bought at a store"),
        "offer_used": i18n.text(language, "Used an offer"),
        "reward_taken": i18n.text(language, "Took a reward"),
        "campaign": i18n.text(language, "Was sent a campaign"),
        "club": i18n.text(language, "Is in a club"),
        "birthday": i18n.text(language, "Birthday soon"),
        "consent": i18n.text(language, "Agreed to something"),
    }
