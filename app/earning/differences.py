"""What changes from one set of rules to another, as sentences; and what a set says besides its rules."""

from collections.abc import Mapping
from dataclasses import dataclass

from app import i18n
from app.earning.rules import Expiry, Policy, RuleSet, Stacking
from app.earning.sentences import Speaker
from app.earning.words import number


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A rule or setting by its name: what it said and what it says; empty for what was not or is no longer there."""

    name: str
    before: str
    after: str


def differences(before: RuleSet, after: RuleSet, speaker: Speaker) -> list[Difference]:
    """Rules by their names, then settings; what stays is left out."""
    old, new = ({rule.name: rule for rule in one.rules} for one in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    found = [
        Difference(
            name=name,
            before=speaker.rule(old[name]) if name in old else "",
            after=speaker.rule(new[name]) if name in new else "",
        )
        for name in names
        if old.get(name) != new.get(name)
    ]
    said, says = settings(before, speaker), settings(after, speaker)
    return [
        *found,
        *(Difference(name=name, before=said[name], after=says[name]) for name in says if said[name] != says[name]),
    ]


def settings(ruleset: RuleSet, speaker: Speaker) -> Mapping[str, str]:
    """What a set says besides its rules, by what it is about."""
    language = speaker.language
    minimum = (
        i18n.text(language, "Purchases from %(amount)s on earn", amount=speaker.amount(ruleset.minimum_minor))
        if ruleset.minimum_minor
        else i18n.text(language, "Every purchase earns")
    )
    carry = (
        i18n.text(language, "Kept for the next purchase")
        if ruleset.carry
        else i18n.text(language, "Dropped: each purchase is rounded down")
    )
    by_points = (
        i18n.text(language, "Earns too") if ruleset.by_points_earns else i18n.text(language, "Earns nothing itself")
    )
    return {
        i18n.text(language, "Several multipliers at once"): _stacking(ruleset.stacking, language),
        i18n.text(language, "Smallest purchase"): minimum,
        i18n.text(language, "Fractions of a point"): carry,
        i18n.text(language, "What is paid with points"): by_points,
        i18n.text(language, "Points can be used"): _pending(ruleset.pending_days, language),
        i18n.text(language, "Points expire"): expiry(ruleset.expiry, speaker),
        i18n.text(language, "A return of points that were spent"): _returns(ruleset.on_deficit, language),
    }


def expiry(one: Expiry, speaker: Speaker) -> str:
    """When points expire."""
    language = speaker.language
    days, months = number(one.days, language), number(one.months, language)
    return {
        Policy.NEVER: i18n.text(language, "Never"),
        Policy.ROLLING: i18n.text(language, "%(days)s days after they were earned", days=days),
        Policy.INACTIVITY: i18n.text(language, "After %(days)s days without a purchase", days=days),
        Policy.CALENDAR: i18n.text(language, "At the end of a month, %(months)s months on", months=months),
        Policy.FIXED: i18n.text(language, "After %(day)s", day=speaker.day(one.on) if one.on else "–"),
    }[one.policy]


def _stacking(stacking: Stacking, language: str) -> str:
    return {
        Stacking.BEST: i18n.text(language, "The largest counts alone"),
        Stacking.ADD: i18n.text(language, "What they add is added up: 2× and 1.5× make 2.5×"),
        Stacking.MULTIPLY: i18n.text(language, "They are multiplied: 2× and 1.5× make 3×"),
    }[stacking]


def _pending(days: int, language: str) -> str:
    if not days:
        return i18n.text(language, "At once")
    return i18n.text(language, "%(days)s days after the purchase", days=number(days, language))


def _returns(policy: str, language: str) -> str:
    return {
        "allow_debt": i18n.text(language, "Is owed: the next purchases fill it first"),
        "clamp": i18n.text(language, "Is written off at once"),
        "refuse": i18n.text(language, "Is refused"),
    }[policy]
