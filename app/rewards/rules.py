"""Whether a reward can be had now, and what it costs: plain values, nothing is looked up here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app import money
from app.errors import AppError, Conflict, Sentence, Unprocessable
from app.ledger.booking import LARGEST_POINTS, insufficient
from app.rewards.models import Reward


class Shop(Protocol):
    """A store, as far as a reward must know it."""

    @property
    def id(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for at the counter.

    `basket_minor`: what the purchase costs, for rewards that take a share of it; `pieces`: how many of each product or
    category are in it, None if the till does not say. `points`: how many of a flexible reward's units to use at most.
    `slot`: the public id of an experience's date; `waits`: a place on its waiting list will do. `is_free`: a code pays.
    """

    store: Shop | None = None
    basket_minor: int | None = None
    pieces: Mapping[str, int] | None = None
    points: int | None = None
    slot: str | None = None
    waits: bool = False
    is_free: bool = False


@dataclass(frozen=True, kw_only=True)
class Price:
    """Units of the reward's unit, and the money that they take off or give."""

    units: int
    value_minor: int | None


@dataclass(frozen=True, kw_only=True)
class Buyer:
    """What a reward must know of a card."""

    programme_id: int
    currency: str
    tier_id: int | None


SENTENCES = {
    "ended": "This reward has ended.",
    "not_started": "This reward has not started yet.",
    "not_eligible": "This reward cannot be had with this card.",
    "wrong_store": "This reward is not given at this store.",
    "limit_reached": "This card has had the reward as often as it may.",
    "limit_of_all": "This reward was given as often as it may be.",
    "limit_of_day": "This reward was given as often as it may be today.",
    "out_of_stock": "This reward is sold out.",
}


def conflict(reason: str) -> Conflict:
    """The refusal of a reward. Every limit has one code; its sentence says which limit it is."""
    code = "limit_reached" if reason.startswith("limit_") else reason
    return Conflict(code, SENTENCES[reason])


def refusal(reward: Reward, buyer: Buyer, wish: Wish, *, now: datetime) -> AppError | None:
    """Why this card cannot have the reward at this moment, as far as the reward itself says; None if it can."""
    if reward.programme_id != buyer.programme_id or not reward.active:
        return conflict("not_eligible")
    if reward.starts_at is not None and now < reward.starts_at:
        return conflict("not_started")
    if reward.ends_at is not None and now >= reward.ends_at:
        return conflict("ended")
    if reward.stores and (wish.store is None or wish.store.id not in reward.stores):
        return conflict("wrong_store")
    if reward.tiers and buyer.tier_id not in reward.tiers:
        return conflict("not_eligible")
    return _spend_refusal(reward, buyer, wish) or _condition_refusal(reward, wish)


def needs_basket(reward: Reward) -> bool:
    """Whether the reward cannot be judged without what the purchase costs."""
    clamped = reward.kind == "discount" and (reward.flexible or reward.max_share is not None)
    return clamped or reward.min_spend_minor is not None


def price(reward: Reward, wish: Wish, *, has: int, currency: str) -> Price:
    """What the reward costs a member who *has* so many units, never more than the basket has use for.

    Raises: Unprocessable `basket_needed`, `invalid_points` or `insufficient`; Conflict `min_spend`.
    """
    if wish.is_free or not reward.unit:
        return Price(units=0, value_minor=_whole_value(reward, wish))
    if not reward.flexible:
        return Price(units=reward.points, value_minor=_whole_value(reward, wish))
    asked = has if wish.points is None else wish.points
    if reward.kind == "donation" and wish.points is None:
        text = "Say how many points are given."
        raise Unprocessable("invalid_points", text, errors={"points": text})
    steps = asked // reward.points
    if steps == 0:
        raise _too_few(reward, has, wish.points)
    if reward.kind == "discount":
        steps = min(steps, _steps_that_fit(reward, wish, currency))
    value = None if reward.value_minor is None else steps * reward.value_minor
    return Price(units=steps * reward.points, value_minor=value)


def part(reward: Reward, units: int) -> Price:
    """What *units* of a held reward give: all of it, or whole steps of a flexible one.

    Raises: Unprocessable `whole_reward`.
    """
    if not reward.flexible and units != reward.points:
        text = Sentence("This reward is given whole: capture %(units)s.", units=reward.points)
        raise Unprocessable("whole_reward", text, errors={"points": text})
    if units % reward.points:
        text = Sentence("Capture a multiple of %(units)s.", units=reward.points)
        raise Unprocessable("whole_reward", text, errors={"points": text})
    steps = units // reward.points
    return Price(units=units, value_minor=None if reward.value_minor is None else steps * reward.value_minor)


def _spend_refusal(reward: Reward, buyer: Buyer, wish: Wish) -> AppError | None:
    if needs_basket(reward) and wish.basket_minor is None:
        text = "This reward depends on the basket; say what the purchase costs."
        return Unprocessable("basket_needed", text, errors={"basket": text})
    least, basket = reward.min_spend_minor, wish.basket_minor
    if least is not None and basket is not None and basket < least:
        return _min_spend(least, basket, buyer.currency)
    return None


def _condition_refusal(reward: Reward, wish: Wish) -> AppError | None:
    if reward.needs_pieces is None or wish.pieces is None:
        return None
    product = reward.needs_product
    has = wish.pieces.get(product, 0) if product else sum(wish.pieces.values())
    if has >= reward.needs_pieces:
        return None
    text = Sentence("Needs %(needs)s pieces, basket has %(has)s.", needs=reward.needs_pieces, has=has)
    return Conflict("condition_not_met", text)


def _min_spend(needs_minor: int, basket_minor: int, currency: str) -> Conflict:
    needs, basket = (money.decimal_text(one, currency) for one in (needs_minor, basket_minor))
    return Conflict("min_spend", Sentence("Needs %(needs)s, basket %(basket)s.", needs=needs, basket=basket))


def _too_few(reward: Reward, has: int, asked: int | None) -> AppError:
    if asked is None or asked > has:
        return insufficient(has, reward.points)
    text = Sentence("Use at least %(units)s.", units=reward.points)
    return Unprocessable("invalid_points", text, errors={"points": text})


def _whole_value(reward: Reward, wish: Wish) -> int | None:
    """A fixed discount takes off no more than its share of the basket."""
    value = reward.value_minor
    if value is None or reward.kind != "discount" or wish.basket_minor is None:
        return value
    return min(value, _payable(reward, wish.basket_minor))


def _payable(reward: Reward, basket_minor: int) -> int:
    """How much of the basket the reward may pay; part of a minor unit stays with the shop."""
    return basket_minor * (100 if reward.max_share is None else reward.max_share) // 100


def _steps_that_fit(reward: Reward, wish: Wish, currency: str) -> int:
    step, basket = reward.value_minor or 0, wish.basket_minor or 0
    fit = _payable(reward, basket) // step if step else LARGEST_POINTS
    if fit == 0:
        share = 100 if reward.max_share is None else reward.max_share
        raise _min_spend(-(-step * 100 // share), basket, currency)
    return fit
