"""The tiers of a programme as a ladder, and what is known of a card on it: plain values, and the decisions on them."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from app import localtime
from app.ledger.held import HeldTier
from app.tiers import rules
from app.tiers.rules import Grant, Metric, Policy, Projection, Standing, Sums

Month = tuple[date, int, int, int]
METRICS = (Metric.SPEND, Metric.EARNED, Metric.VISITS)  # in the order of a month's figures


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """A programme's tiers, lowest first, with its policy and its zone."""

    zone: str
    policy: Policy
    tiers: tuple[HeldTier, ...]

    @property
    def thresholds(self) -> tuple[int, ...]:
        return tuple(tier.threshold_minor for tier in self.tiers)

    def place(self, tier_id: int | None) -> int:
        """Where a tier stands; -1 for none, and for one that is there no more."""
        return next((place for place, tier in enumerate(self.tiers) if tier.id == tier_id), -1)

    def tier(self, place: int) -> HeldTier | None:
        return self.tiers[place] if place >= 0 else None

    def today(self, now: datetime) -> date:
        """The programme's day."""
        return localtime.wall_clock(now, self.zone).date()


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of one card: what it has earned, what was given by hand, and its months.

    `due_on`: the first day on which time changes something.
    """

    standing: Standing
    months: tuple[Month, ...] = ()
    grant: Grant | None = None
    due_on: date | None = None

    def differs(self, other: "Record") -> bool:
        """Whether anything but the months is another than there."""
        return replace(self, months=()) != replace(other, months=())

    def sums(self, metric: Metric) -> Sums:
        """The months as the metric counts them."""
        at = METRICS.index(metric)
        return Sums(by_month={month: figures[at] for month, *figures in self.months})


def base(ladder: Ladder) -> Standing:
    """Where somebody stands who has bought nothing yet."""
    return Standing(place=rules.place_of(ladder.thresholds, 0))


def metric_of(ladder: Ladder, record: Record, today: date) -> int:
    """The metric over the window that ends today."""
    return record.sums(ladder.policy.metric).over(ladder.policy, today)


def settled(ladder: Ladder, record: Record, today: date, *, day: date | None = None) -> Record:
    """Bring a record up to *today*: every end judged in its turn, and up where the metric has reached more.

    Args:
        day: the day of the sale that was counted last, where it came a little late.
    """
    policy, thresholds, sums = ladder.policy, ladder.thresholds, record.sums(ladder.policy.metric)
    standing = record.standing
    for when in sorted({day or today, today}):
        standing = rules.after_time(policy, standing, thresholds, lambda month: sums.over(policy, month), when)
        standing = rules.after_gain(policy, standing, thresholds, sums.over(policy, when), when)
    return _written(ladder, replace(record, standing=standing), today)


def returned(ladder: Ladder, before: Record, after: Record, today: date) -> Record:
    """Bring a record up to *today* after something was brought back; *before* and *after* differ in their months."""
    policy, thresholds = ladder.policy, ladder.thresholds
    sums = before.sums(policy.metric), after.sums(policy.metric)
    now_so = settled(ladder, before, today).standing
    standing = rules.after_return(policy, now_so, thresholds, sums, today)
    return _written(ladder, replace(after, standing=standing), today)


def under_new_rules(ladder: Ladder, record: Record, today: date) -> Record:
    """Bring a record up to *today* under rules that were changed after it was written."""
    policy, thresholds, sums = ladder.policy, ladder.thresholds, record.sums(ladder.policy.metric)
    standing = rules.after_time(
        policy, _with_an_end(ladder, record.standing, today), thresholds, lambda month: sums.over(policy, month), today
    )
    reached = rules.place_of(thresholds, sums.over(policy, today))
    deserved = rules.deserved(policy, standing, thresholds, sums, today)
    standing = judged_by_places(ladder, standing, reached, deserved, today)
    return _written(ladder, replace(record, standing=standing), today)


def judged_by_places(ladder: Ladder, standing: Standing, reached: int, deserved: int, today: date) -> Standing:
    """Where a member stands under changed rules: up at once to what the metric reaches today; under strict rules down
    at once to what it speaks for, elsewhere not before the tier's end.

    A tier that lasted for ever gets an end where tiers end now, and the other way about.
    """
    standing = _with_an_end(ladder, standing, today)
    policy, thresholds = ladder.policy, ladder.thresholds
    if reached > standing.place or (standing.grace_to is not None and reached == standing.place):
        return rules.lasting(policy, thresholds, reached, today)
    if policy.strict and deserved < standing.place:
        return rules.lasting(policy, thresholds, deserved, today)
    return standing


def _with_an_end(ladder: Ladder, standing: Standing, today: date) -> Standing:
    lasting = rules.lasting(ladder.policy, ladder.thresholds, standing.place, today)
    return lasting if (lasting.valid_to is None) != (standing.valid_to is None) else standing


def shown(ladder: Ladder, record: Record, today: date) -> HeldTier | None:
    """The tier that the card shows."""
    return ladder.tier(rules.shown(record.standing, record.grant, today))


def lasts_to(record: Record, today: date) -> date | None:
    """The last day of the tier that the card shows; None: for ever."""
    standing, grant = record.standing, record.grant
    if grant and today <= grant.to and grant.place > standing.place:
        return grant.to
    return standing.grace_to or standing.valid_to


def projected(ladder: Ladder, record: Record, today: date) -> Projection:
    """What is missing to keep the tier, and to reach the one above."""
    sums = record.sums(ladder.policy.metric)
    place = rules.shown(record.standing, record.grant, today)
    return rules.projection(ladder.policy, record.standing, ladder.thresholds, sums, today, place=place)


def _written(ladder: Ladder, record: Record, today: date) -> Record:
    grant = record.grant if record.grant and today <= record.grant.to else None
    due_on = rules.due_on(ladder.policy, record.standing, grant, record.sums(ladder.policy.metric), today)
    return replace(record, grant=grant, due_on=due_on)
