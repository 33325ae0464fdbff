"""How long a tier lasts and what it takes to reach or keep one. Pure: dates and sums in, decisions out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum

from app.earning.expiring import end_of_month


class Metric(Enum):
    """What is summed: money spent net of returns, points earned by base rules, or visits."""

    SPEND = "spend"
    EARNED = "earned"
    VISITS = "visits"


class Window(Enum):
    """Over which months: the last so many, the calendar year, or all of them."""

    ROLLING = "rolling"
    CALENDAR = "calendar"
    LIFETIME = "lifetime"


class Drop(Enum):
    """What happens at the end of a tier that was not earned again."""

    ONE_STEP = "one_step"
    TO_METRIC = "to_metric"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A programme's rules of tiers. `strict`: a return that undoes a threshold takes the tier at once."""

    metric: Metric = Metric.SPEND
    window: Window = Window.ROLLING
    months: int = 12
    validity_months: int = 12
    grace_days: int = 30
    drop: Drop = Drop.ONE_STEP
    strict: bool = False

    def months_of(self, month: date) -> tuple[date, date]:
        """The first and the last month (their first days) that count in *month*."""
        last = month.replace(day=1)
        if self.window is Window.CALENDAR:
            return last.replace(month=1), last
        if self.window is Window.LIFETIME:
            return date.min, last
        year, at = divmod(last.year * 12 + last.month - self.months, 12)
        return date(year, at + 1, 1), last


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a member has earned: the place of the tier, -1 below the first, and through which days it lasts.

    `valid_to` is the last day of the tier, None for the lowest that lasts for ever; `grace_to` that of its grace.
    """

    place: int = -1
    valid_to: date | None = None
    grace_to: date | None = None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A tier given by hand, through its last day. What is earned goes on beneath it and is what stays afterwards."""

    place: int
    to: date


@dataclass(frozen=True, kw_only=True)
class Sums:
    """The metric of a member, by the first day of each month that has one."""

    by_month: Mapping[date, int]

    def over(self, policy: Policy, month: date) -> int:
        """The metric over the window that ends with the month of that day; never below zero."""
        first, last = policy.months_of(month)
        return max(0, sum(value for at, value in self.by_month.items() if first <= at <= last))

    def counts_to(self, policy: Policy, month: date) -> date | None:
        """The last day on which all that the window of that month holds still counts; None: for ever, or nothing."""
        first, last = policy.months_of(month)
        counted = [at for at, value in self.by_month.items() if value and first <= at <= last]
        if not counted or policy.window is Window.LIFETIME:
            return None
        if policy.window is Window.CALENDAR:
            return date(last.year, 12, 31)
        return end_of_month(min(counted), policy.months - 1)


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What a member is told: how much is missing to keep the tier, and to reach the next, each with its last day.

    `to_keep` is None where there is nothing to keep, `to_next` in the highest; `next_by` None: it counts for ever.
    """

    to_keep: int | None
    keep_by: date | None
    to_next: int | None
    next_by: date | None


def place_of(thresholds: Sequence[int], metric: int) -> int:
    """The highest tier whose threshold is reached: exactly reached counts. -1: none."""
    return sum(1 for threshold in thresholds if metric >= threshold) - 1


def after_gain(policy: Policy, standing: Standing, thresholds: Sequence[int], metric: int, today: date) -> Standing:
    """Where a member stands once the metric has risen: up at once. Reaching a tier within its grace renews it."""
    reached = place_of(thresholds, metric)
    if reached > standing.place or (standing.grace_to is not None and reached == standing.place):
        return lasting(policy, thresholds, reached, today)
    return standing


def after_return(
    policy: Policy, standing: Standing, thresholds: Sequence[int], sums: tuple[Sums, Sums], today: date
) -> Standing:
    """Where a member stands once something was brought back; *sums*: before and after it.

    The tier stays to its end, unless the rules are strict and the tier would not have been reached without it.
    """
    before, after = (deserved(policy, standing, thresholds, each, today) for each in sums)
    if policy.strict and before >= standing.place > after:
        return lasting(policy, thresholds, after, today)
    return standing


def deserved(policy: Policy, standing: Standing, thresholds: Sequence[int], sums: Sums, today: date) -> int:
    """The place that the metric speaks for: as it is today, or was in the month that gave the tier its end."""
    months = {today}
    if standing.valid_to is not None:
        months.add(end_of_month(standing.valid_to, -policy.validity_months))
    return place_of(thresholds, max(sums.over(policy, month) for month in months))


def after_time(
    policy: Policy, standing: Standing, thresholds: Sequence[int], metric_at: Callable[[date], int], today: date
) -> Standing:
    """Where a member stands on *today*, however long nobody looked: every end since then is judged in its turn.

    Args:
        metric_at: the metric over the window that ends with the month of a day.
    """
    while standing.valid_to is not None and today > standing.valid_to:
        following = _after_end(policy, standing, thresholds, metric_at(standing.valid_to), today)
        if following == standing:
            return standing
        standing = following
    return standing


def shown(standing: Standing, grant: Grant | None, today: date) -> int:
    """The place that a member's card shows: what was earned, or what was given by hand if that is higher."""
    return max(standing.place, grant.place) if grant and today <= grant.to else standing.place


def due_on(policy: Policy, standing: Standing, grant: Grant | None, sums: Sums, today: date) -> date | None:
    """The next day on which time alone changes something that the card shows; None if it never does."""
    ends = [standing.grace_to or standing.valid_to, grant.to if grant else None, sums.counts_to(policy, today)]
    return min((end + timedelta(days=1) for end in ends if end is not None and end < date.max), default=None)


def projection(
    policy: Policy, standing: Standing, thresholds: Sequence[int], sums: Sums, today: date, *, place: int | None = None
) -> Projection:
    """What is missing to keep the tier, and to reach the next one above the one shown (*place*, if it was given).

    What keeps a tier is counted over the window that ends with its last month; within the grace, as of today.
    """
    keep_by = standing.grace_to or standing.valid_to
    metric = sums.over(policy, today)
    above = max(standing.place, -1 if place is None else place) + 1
    higher = [threshold for threshold in thresholds[above:] if threshold > metric]
    to_keep = None
    if standing.place >= 0 and keep_by is not None and policy.drop is not Drop.NONE:
        counted = sums.over(policy, today if standing.grace_to else keep_by)
        to_keep = max(0, thresholds[standing.place] - counted)
    return Projection(
        to_keep=to_keep,
        keep_by=None if to_keep is None else keep_by,
        to_next=min(higher) - metric if higher else None,
        next_by=sums.counts_to(policy, today) if higher else None,
    )


def _after_end(policy: Policy, standing: Standing, thresholds: Sequence[int], metric: int, today: date) -> Standing:
    """A tier whose last day is over. A sale that arrives late within the grace still renews it."""
    assert standing.valid_to is not None  # noqa: S101  # for the type checker: the caller asked
    renewed_to = end_of_month(standing.valid_to, policy.validity_months)
    if policy.drop is Drop.NONE or metric >= thresholds[standing.place]:
        return replace(standing, valid_to=renewed_to, grace_to=None)
    if standing.grace_to is None and policy.grace_days:
        return replace(standing, grace_to=standing.valid_to + timedelta(days=policy.grace_days))
    if standing.grace_to is not None and today <= standing.grace_to:
        return standing
    lower = standing.place - 1
    if policy.drop is Drop.TO_METRIC:
        lower = min(place_of(thresholds, metric), lower)
    return Standing(place=lower, valid_to=renewed_to if lower >= 0 and thresholds[lower] > 0 else None)


def lasting(policy: Policy, thresholds: Sequence[int], place: int, today: date) -> Standing:
    """A tier that begins today: to the end of its validity, or for ever if everybody has it or nothing ends."""
    for_ever = place < 0 or thresholds[place] == 0 or policy.window is Window.LIFETIME
    return Standing(place=place, valid_to=None if for_ever else end_of_month(today, policy.validity_months))
