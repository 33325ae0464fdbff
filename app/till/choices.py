"""What a customer could have now, the best first: that is the one that is proposed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction

from app import i18n, money
from app.counter.till_view import OfferAtTill, RewardAtTill, StampsAtTill, TillView
from app.earning import words
from app.ledger.held import POINTS
from app.rewards import catalogue
from app.rewards.models import Reward
from app.till.bargains import is_with_sale
from app.till.forms import new_key
from app.till.refusals import Refusals

PICKS = 9
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A reward, an offer or a full stamp card to press. `pick`: its digit, or 0; `why`: why it cannot be used.

    `takes_off`: what is taken off the purchase for it, in words. `worth` is what it is worth to the member, for
    comparing; None is more than any number: it costs nothing.
    """

    kind: str
    public_id: str
    title: str
    points: int
    count: int = 1
    unit: str = ""
    is_flexible: bool = False
    needs_basket: bool = False
    takes_off: str = ""
    ends_at: datetime | None
    worth: Fraction | None
    why: str
    pick: int = 0
    is_best: bool = False
    key: str = field(default_factory=new_key)
    hold_key: str = field(default_factory=new_key)


def best_first(view: TillView, refusals: Refusals, *, language: str) -> tuple[Choice, ...]:
    """Most value for the member first, of equal ones what ends soonest; what cannot be used stands last."""
    currency = view.card.programme.currency
    rate = _rate([one.reward for one in view.rewards])
    found = [_offer(one, refusals.of_offer(one)) for one in view.offers if not is_with_sale(one)]
    found += [_reward(one, rate, language, currency, refusals.of_reward(one)) for one in view.rewards]
    found += [_full_stamp_card(one) for one in view.stamps if one.vouchers]
    found.sort(key=_rank)
    return tuple(
        replace(one, pick=place, is_best=place == 1) if place <= PICKS and not one.why else one
        for place, one in enumerate(found, start=1)
    )


def _rank(one: Choice) -> tuple[bool, bool, Fraction, datetime, str]:
    worth = Fraction(0) if one.worth is None else -one.worth
    return bool(one.why), one.worth is not None, worth, one.ends_at or NEVER, one.title


def _offer(one: OfferAtTill, why: str) -> Choice:
    return Choice(
        kind="offer",
        public_id=one.offer.public_id,
        title=one.title,
        points=0,
        ends_at=one.offer.ends_at,
        worth=None,
        why=why,
    )


def _full_stamp_card(one: StampsAtTill) -> Choice:
    return Choice(
        kind="stamp_card",
        public_id=one.stamp_card.public_id,
        title=one.reward,
        points=0,
        count=one.vouchers,
        ends_at=None,
        worth=None,
        why="",
    )


def _reward(one: RewardAtTill, rate: Fraction, language: str, currency: str, why: str) -> Choice:
    reward = one.reward
    worth = _worth(reward, rate)
    return Choice(
        kind="reward",
        public_id=reward.public_id,
        title=catalogue.name_in(reward, language),
        points=reward.points,
        unit=reward.unit.partition(":")[0],
        is_flexible=reward.flexible,
        needs_basket=one.needs_basket,
        takes_off=_takes_off(reward, currency, language),
        ends_at=reward.ends_at,
        worth=worth,
        why=why,
    )


def _takes_off(reward: Reward, currency: str, language: str) -> str:
    if reward.kind != "discount" or reward.value_minor is None or reward.unit != POINTS:
        return ""
    points, off = words.number(reward.points, language), money.shown(reward.value_minor, currency, language)
    if reward.flexible:
        return i18n.text(language, "%(money)s for each %(points)s points", points=points, money=off)
    return i18n.text(language, "%(points)s points for %(money)s", points=points, money=off)


def _worth(reward: Reward, rate: Fraction) -> Fraction | None:
    """What costs no points is a gift, as an offer is. A flexible one is worth no more than the points it takes."""
    if reward.unit != POINTS:
        return None
    if reward.flexible:
        return Fraction(0)
    return Fraction(reward.value_minor) if reward.value_minor is not None else reward.points * rate


def _rate(rewards: Sequence[Reward]) -> Fraction:
    """What a point is worth, in minor units, where a reward does not say what it is worth: as in the best that does."""
    known = [
        Fraction(one.value_minor, one.points)
        for one in rewards
        if one.value_minor is not None and one.unit == POINTS and not one.flexible
    ]
    return max(known, default=Fraction(1))
