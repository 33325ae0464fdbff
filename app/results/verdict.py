"""What the counts of a campaign mean: its effect with limits, and what may not be said of it."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from app.campaigns.models import Campaign
from app.clock import milliseconds
from app.results import stats
from app.results.counts import Arm, Counts, Moment
from app.results.models import CampaignWorth
from app.results.stats import Estimate, Net, Sample, Score, Worth

BASIS = 10_000
SAMPLES_MOST = 200
FEWEST_EXPECTED = 5  # of fewer people χ² says nothing
FEWEST_IN_GROUP = 10  # the spread of fewer people is a matter of luck
FEWEST_BUYERS = 30  # of fewer, Welch's interval called a tenth to a third of campaigns without an effect a success
METRICS = ("purchase", "visits", "spend", "redemption")
SHARES = ("purchase", "redemption")


class Says(Enum):
    """What may be said of an effect."""

    NOBODY_YET = "nobody_yet"
    NO_COMPARISON = "no_comparison"
    UNCLEAR = "inconclusive"
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The treated beside those who were held back.

    `treated` and `held_back` are the figure of one member in each group: a share, a mean of visits, or a mean of minor
    units. `by`: their difference; `lift`: relative to those held back, None where it cannot be computed; `total`: the
    difference for all who were treated.
    """

    metric: str
    says: Says
    treated: float | None = None
    held_back: float | None = None
    by: Estimate | None = None
    lift: Estimate | None = None
    total: Estimate | None = None
    score: Score | None = None


@dataclass(frozen=True, kw_only=True)
class Results:
    """A campaign's counts with what they mean.

    `is_interim`: the window of somebody is still open, so that the figures will change. `split`: whether as many were
    held back as planned; `split_alarm`: they were not, which no chance explains. `net`: what it brought, if somebody
    said what a buyer is worth. `anyway`: how many of the treated buyers would have bought without it, None where the
    difference makes no sense of this: fewer than none, or more than there are.
    """

    counts: Counts
    metric: str
    days: int
    ends_at: datetime | None
    is_interim: bool
    effect: Effect
    buyers: Effect
    split: Score | None
    split_alarm: bool
    worth: CampaignWorth | None
    cost_minor: int
    net: Net | None
    anyway: int | None


def of(campaign: Campaign, counts: Counts, worth: CampaignWorth | None, *, now: datetime) -> Results:
    """Judge a campaign's counts at this moment."""
    metric, days = campaign.goal.get("metric", "purchase"), int(campaign.goal.get("days", 7))
    buyers = effect("purchase", counts)
    split = split_of(counts)
    cost_minor = counts.treated.cost_minor
    if worth is not None:
        cost_minor += worth.redemption_minor * counts.treated.uses + worth.sending_minor
    return Results(
        counts=counts,
        metric=metric,
        days=days,
        ends_at=ends_at(campaign, counts),
        is_interim=is_interim(campaign, counts, now=now),
        effect=buyers if metric == "purchase" else effect(metric, counts),
        buyers=buyers,
        split=split,
        split_alarm=is_wrong(split),
        worth=worth,
        cost_minor=cost_minor,
        net=_net(counts, buyers, worth),
        anyway=_anyway(counts.treated.buyers, buyers),
    )


def is_wrong(split: Score | None) -> bool:
    """Whether no chance explains it: what is compared is not what was planned."""
    return split is not None and split.p < stats.ALARM_P


def effect(metric: str, counts: Counts) -> Effect:
    """The goal's difference between the groups."""
    one, other = counts.treated, counts.held_back
    if not one.people and not other.people:
        return Effect(metric=metric, says=Says.NOBODY_YET)
    found = Effect(
        metric=metric, says=Says.NO_COMPARISON, treated=_figure(metric, one), held_back=_figure(metric, other)
    )
    if not one.people or not other.people:
        return found
    lift = score = None
    by: Estimate | None
    if metric in SHARES:
        x1, x0 = (arm.buyers if metric == "purchase" else arm.redeemers for arm in (one, other))
        by = stats.difference(x1, one.people, x0, other.people)
        lift = stats.relative_lift(x1, one.people, x0, other.people)
        score = stats.pooled(x1, one.people, x0, other.people)
    else:
        by = _means(metric, counts)
    if by is None:
        return found
    says = Says.UNCLEAR if by.has_zero else Says.MORE if by.value > 0 else Says.LESS
    return replace(found, says=says, by=by, lift=lift, total=by.times(one.people), score=score)


def _figure(metric: str, arm: Arm) -> float | None:
    if not arm.people:
        return None
    count = {
        "purchase": arm.buyers, "redemption": arm.redeemers, "visits": arm.visits, "spend": arm.capped_minor
    }[metric]  # fmt: skip
    return count / arm.people


def _means(metric: str, counts: Counts) -> Estimate | None:
    if min(counts.treated.people, counts.held_back.people) < FEWEST_IN_GROUP:
        return None
    one, other = (
        Sample.of_sums(arm.people, arm.visits, arm.visits_squared)
        if metric == "visits"
        else Sample.of_sums(arm.people, arm.capped_minor, arm.capped_squared)
        for arm in (counts.treated, counts.held_back)
    )
    is_sparse = min(counts.treated.buyers, counts.held_back.buyers) < FEWEST_BUYERS
    return stats.means(one, other) if is_sparse else stats.welch(one, other)


def _anyway(treated_buyers: int, buyers: Effect) -> int | None:
    if buyers.total is None:
        return None
    anyway = round(treated_buyers - buyers.total.value)
    return anyway if 0 <= anyway <= treated_buyers else None


def split_of(counts: Counts) -> Score | None:
    """Whether as many were held back as planned; None of fewer people than that can be said of."""
    held = sum((Fraction(one.people * one.held_bp, BASIS) for one in counts.splits), Fraction(0))
    total = counts.treated.people + counts.held_back.people
    if min(held, total - held) < FEWEST_EXPECTED:
        return None
    return stats.chi_square([(counts.treated.people, total - held), (counts.held_back.people, held)])


def _net(counts: Counts, buyers: Effect, worth: CampaignWorth | None) -> Net | None:
    if buyers.total is None or worth is None or worth.margin_minor is None:
        return None
    one, other = counts.treated, counts.held_back
    given = Worth(
        margin_minor=worth.margin_minor,
        redeemed_minor=one.cost_minor + worth.redemption_minor * one.uses,
        sending_minor=worth.sending_minor,
    )
    exact = stats.exact_incremental(one.buyers, one.people, other.buyers, other.people)
    return stats.net(buyers.total, given, exact=exact)


def ends_at(campaign: Campaign, counts: Counts) -> datetime | None:
    """When the window of the last one who may be told is over; None where there is nobody yet."""
    if counts.last_due_at is None:
        return None
    last = datetime.fromtimestamp(counts.last_due_at / 1000, counts.computed_at.tzinfo)
    return last + timedelta(days=int(campaign.goal.get("days", 7)))


def is_interim(campaign: Campaign, counts: Counts, *, now: datetime) -> bool:
    """Whether more may come: people who are not told yet, a window that is open, or a count from before its end."""
    end = ends_at(campaign, counts)
    if campaign.state not in {"sent", "stopped"} or counts.waiting or end is None:
        return True
    return min(now, counts.computed_at) < end


def with_sample(counts: Counts, before: Counts | None) -> Counts:
    """The counts with how far it had come at each count before; of very many, every other one is left out."""
    sample = Moment(
        at=milliseconds(counts.computed_at), sent=counts.sent, accepted=counts.accepted, fetched=counts.fetched,
        redeemed=sum(counts.redeemed_by_day.values()),
    )  # fmt: skip
    course = [*(before.course if before else ()), sample]
    same = [one for one in course if asdict(one) | {"at": 0} == asdict(sample) | {"at": 0}]
    if len(same) > 2:  # where nothing moves, its first and its last moment say it all
        course = [one for one in course if one not in same[1:-1]]
    if len(course) > SAMPLES_MOST:
        course = [*course[:-1][::2], course[-1]]
    return replace(counts, course=tuple(course))
