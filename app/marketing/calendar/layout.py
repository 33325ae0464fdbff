"""Where each plan stands in its week: spans in lanes that do not cross, below them points by their hours."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

OFFER, RULE, PILOT, SEND, OCCASION = "offer", "rule", "pilot", "send", "occasion"
SPANS = (OFFER, RULE, PILOT)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Something that is planned: from one local day to another (both included), or at a time of one day.

    `key` names it on the page. `local` is the wall clock of a send, such as `2026-12-24T10:00`; `moves`: it may be put
    on another day. `note`: whom it is for, or what it gives. `state` in words, with its `tone`.
    """

    key: str
    kind: str
    title: str
    first: date
    last: date
    time: str = ""
    note: str = ""
    state: str = ""
    tone: str = ""
    href: str = ""
    local: str = ""
    moves: bool = False


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A lane of one day: a span that is shown from here on for `days` days, or one that goes on from before."""

    plan: Plan
    days: int
    is_start: bool


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day with its lanes (None: nothing in that lane), the sends of that day, and its occasions."""

    on: date
    slots: tuple[Slot | None, ...]
    sends: tuple[Plan, ...]
    occasions: tuple[Plan, ...]
    clashes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing begins here that a list by day would name."""
        return not (self.sends or self.occasions or self.clashes or any(one and one.is_start for one in self.slots))


def week(days: Sequence[date], plans: Iterable[Plan], clashes: dict[date, list[str]]) -> list[Day]:
    """The days of one week with everything that is planned on them."""
    shown = [one for one in plans if one.first <= days[-1] and one.last >= days[0]]
    lanes = _lanes([one for one in shown if one.kind in SPANS], days)
    return [
        Day(
            on=day,
            slots=tuple(_slot(lane, day, days) for lane in lanes),
            sends=tuple(sorted((p for p in shown if p.kind == SEND and p.first == day), key=lambda p: (p.time, p.key))),
            occasions=tuple(p for p in shown if p.kind == OCCASION and p.first <= day <= p.last),
            clashes=tuple(clashes.get(day, ())),
        )
        for day in days
    ]


def _lanes(spans: Iterable[Plan], days: Sequence[date]) -> list[list[Plan]]:
    """Spans in as few lanes as hold them, the longest first among those that begin together."""
    lanes: list[list[Plan]] = []
    for one in sorted(spans, key=lambda p: (max(p.first, days[0]), -(p.last - p.first).days, p.key)):
        free = next((lane for lane in lanes if lane[-1].last < one.first), None)
        if free is None:
            lanes.append([one])
        else:
            free.append(one)
    return lanes


def _slot(lane: Collection[Plan], day: date, days: Sequence[date]) -> Slot | None:
    found = next((one for one in lane if one.first <= day <= one.last), None)
    if found is None:
        return None
    start = max(found.first, days[0])
    return Slot(plan=found, days=(min(found.last, days[-1]) - start).days + 1, is_start=day == start)
