"""Days on which the same people would be sent two campaigns, so that the caps keep one of them back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from flask_babel import gettext

from app.marketing.calendar.layout import SEND, Plan

PAIRS_MOST = 40


@dataclass(frozen=True, kw_only=True)
class Clash:
    """Two sends of one day, and how many people both would reach."""

    on: date
    one: Plan
    other: Plan
    people: int


def found(plans: Iterable[Plan], both: Callable[[Plan, Plan], int]) -> list[Clash]:
    """Pairs of sends of one day of which *both* says that they reach the same people; at most so many are looked at."""
    by_day: dict[date, list[Plan]] = {}
    for plan in plans:
        if plan.kind == SEND:
            by_day.setdefault(plan.first, []).append(plan)
    pairs = [(day, *pair) for day, sends in sorted(by_day.items()) for pair in combinations(sends, 2)]
    judged = (Clash(on=day, one=one, other=other, people=both(one, other)) for day, one, other in pairs[:PAIRS_MOST])
    return [clash for clash in judged if clash.people > 0]


def sentence(clash: Clash, number: Callable[[int], str], *, cap_day: int) -> str:
    """What it means."""
    names = {"one": clash.one.title, "other": clash.other.title, "people": number(clash.people)}
    if cap_day == 1:
        text = gettext(
            "%(people)s people are in both “%(one)s” and “%(other)s”, and one message in 24 hours is allowed: "
            "they get the one with the higher priority.",
            **names,
        )
        return str(text)
    return str(gettext("%(people)s people are in both “%(one)s” and “%(other)s”.", **names))
