"""How long a tier lasts and what it takes to reach or keep one. Pure: dates and sums in, decisions out."""

from collections.abc import Mapping, Sequence
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
    """Where a member stands: the place of the tier, -1 below the first, and through which days it lasts.

    `valid_to` is the last day of the tier, None for the lowest that lasts for ever; `grace_to` that of its grace.
    `granted_to`: until when a tier given by hand stays, whatever the metric says.
    """

    place: int = -1
    valid_to: date | None = None
    grace_to: date | None = None
    granted_to: date | None = None


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What a member is told: how much of the metric is missing to keep the tier by `by`, and to reach the next."""

    to_keep: int | None
    by: date | None
    to_next: int | None


def place_of(thresholds: Sequence[int], metric: int) -> int:
    """The highest tier whose threshold is reached: exactly reached counts. -1: none."""
    return sum(1 for threshold in thresholds if metric >= threshold) - 1


def after_change(policy: Policy, standing: Standing, thresholds: Sequence[int], metric: int, today: date) -> Standing:
    """Where a member stands once the metric has changed: up at once, and down at once only where the rules are strict.

    Reaching a tier again within its grace renews it.
    """
    reached = place_of(thresholds, metric)
    if reached > standing.place or (standing.grace_to is not None and reached == standing.place):
        return Standing(place=reached, valid_to=_last_day(policy, today), granted_to=standing.granted_to)
    if policy.strict and reached < standing.place and not _granted(standing, today):
        return Standing(place=reached, valid_to=_last_day(policy, today) if reached >= 0 else None)
    return standing


def after_time(
    policy: Policy, standing: Standing, thresholds: Sequence[int], metric_at: Mapping[date, int], today: date
) -> Standing:
    """Where a member stands on *today*, however long nobody looked: every end since then is judged in its turn.

    Args:
        metric_at: the metric over the window that ends with a month (its first day), for each month since `valid_to`.
    """
    while standing.valid_to is not None and today > (standing.grace_to or standing.valid_to):
        if _granted(standing, today):
            return standing
        following = _after_end(policy, standing, thresholds, metric_at)
        if following == standing:
            return standing
        standing = following
    return standing


def projection(standing: Standing, thresholds: Sequence[int], metric: int) -> Projection:
    """How much is missing to keep the tier, and to reach the next; None where there is nothing to keep or reach."""
    place = standing.place
    higher = [threshold for threshold in thresholds[place + 1 :] if threshold > metric]
    keeps = place >= 0 and standing.valid_to is not None
    return Projection(
        to_keep=max(0, thresholds[place] - metric) if keeps else None,
        by=(standing.grace_to or standing.valid_to) if keeps else None,
        to_next=min(higher) - metric if higher else None,
    )


def _after_end(
    policy: Policy, standing: Standing, thresholds: Sequence[int], metric_at: Mapping[date, int]
) -> Standing:
    assert standing.valid_to is not None  # noqa: S101  # for the type checker: the caller asked
    metric = metric_at.get(standing.valid_to.replace(day=1), 0)
    renewed_to = end_of_month(standing.valid_to, policy.validity_months)
    if standing.grace_to is None:
        if policy.drop is Drop.NONE or metric >= thresholds[standing.place]:
            return replace(standing, valid_to=renewed_to)
        if policy.grace_days:
            return replace(standing, grace_to=standing.valid_to + timedelta(days=policy.grace_days))
    lower = (
        standing.place - 1 if policy.drop is Drop.ONE_STEP else min(place_of(thresholds, metric), standing.place - 1)
    )
    return Standing(place=lower, valid_to=renewed_to if lower >= 0 and thresholds[lower] > 0 else None)


def _granted(standing: Standing, today: date) -> bool:
    return standing.granted_to is not None and today <= standing.granted_to


def _last_day(policy: Policy, today: date) -> date | None:
    return None if policy.window is Window.LIFETIME else end_of_month(today, policy.validity_months)
