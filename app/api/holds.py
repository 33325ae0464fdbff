"""Redeeming: at once, or in two steps."""

from datetime import timedelta
from typing import Any

from app import money
from app.api import cards, holds_shapes, incoming, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.offers import offer_named
from app.api.rewards import named
from app.cards.models import Card, Programme
from app.counter import couponing, offering, rewarding
from app.counter.moves import Done
from app.counter.rewarding import Reserved
from app.coupons import service as coupons
from app.coupons.service import Found
from app.earning.sale import Basket
from app.errors import NotFound
from app.ledger import holds
from app.ledger.held import Held
from app.ledger.models import Hold
from app.rewards import service as rewards
from app.rewards.models import Taking
from app.rewards.rules import Wish
from app.staff import throttle
from app.staff.throttle import WRONG_CODES


def redeem(call: Call) -> Body:
    """Use up points, take a reward, use an offer or a unique code."""
    body, card = call.body, cards.held_card(call)
    store = cards.store_named(call, body["store"])
    told = {"by": cards.actor(call), "now": call.now, "store": store, "receipt": body["receipt"]}
    taking: Taking | None = None
    off_minor: int | None = None
    if "points" in body:
        done: Done = rewarding.redeem_points(call.session, card, body["points"], **told)
    elif "offer" in body:
        offer = offer_named(call, body["offer"])
        taken = offering.redeem_offer(call.session, card, offer, basket=_basket(body, card), **told)
        done, off_minor = taken, taken.off_minor
    elif "coupon" in body:
        found = _code(call, card)
        used = couponing.redeem_code(call.session, card, found, wish=_wish(body, card), **told)
        done, taking, off_minor = used, used.taking, used.off_minor
    else:
        reward, _ = named(call, body["reward"])
        given = rewarding.redeem_reward(call.session, card, reward, wish=_wish(body, card), **told)
        done, taking = given, given.taking
    answer = {**cards.moved(done, store), **_given(taking, card.currency)}
    return answer if off_minor is None else {**answer, "discount": money.decimal_text(off_minor, card.currency)}


def place_hold(call: Call) -> Body:
    """Put units aside, for a reward or for nothing in particular."""
    body, card = call.body, cards.held_card(call)
    told: dict[str, Any] = {
        "by": cards.actor(call),
        "now": call.now,
        "store": cards.store_named(call, body["store"]),
        "receipt": body["receipt"],
        "life": timedelta(seconds=body["expires_in"]),
    }
    if "points" in body:
        placed = rewarding.hold_points(call.session, card, body["points"], **told)
    else:
        reward, _ = named(call, body["reward"])
        placed = rewarding.hold_reward(call.session, card, reward, wish=_wish(body, card), **told)
    return {**_hold(placed.hold, placed.taking, card.number, card.currency), "balance": placed.balance}


def read_hold(call: Call) -> Body:
    """A hold as it stands; one whose time is over may still be open for some seconds, but cannot be captured."""
    hold, card, programme = _own(call)
    return _hold(hold, rewards.of_hold(call.session, hold.id), card.number, programme.currency)


def capture_hold(call: Call) -> Body:
    """Use up what is held, or a part of it; the rest is free again."""
    hold, card, programme = _own(call)
    store = cards.store_named(call, call.body["store"])
    units = call.body.get("points")
    done = rewarding.capture(call.session, hold.id, units, by=cards.actor(call), now=call.now, store=store)
    ended = _hold(done.hold, done.taking, card.number, programme.currency)
    return {**cards.moved(done, store), **_given(done.taking, programme.currency), "hold": ended}


def void_hold(call: Call) -> Body:
    """Let go of what is held."""
    hold, card, programme = _own(call)
    done: Reserved = rewarding.void(call.session, hold.id, by=cards.actor(call), now=call.now)
    return {**_hold(done.hold, done.taking, card.number, programme.currency), "balance": done.balance}


def _own(call: Call) -> tuple[Hold, Card, Programme]:
    """The hold of the address, if the key may see its card.

    Raises: NotFound `unknown_hold`.
    """
    name = call.path["hold"]
    try:
        hold = holds.by_id(call.session, name)
    except NotFound:
        raise unknown("hold", name) from None
    card = call.session.get_one(Card, hold.card_id)
    if not call.caller.sees(card.programme_id):
        raise unknown("hold", name)
    return hold, card, call.session.get_one(Programme, card.programme_id)


def _wish(body: Body, card: Held) -> Wish:
    basket = body["basket"]
    return Wish(
        basket_minor=None if basket is None else money.minor_units(basket, card.currency, field="basket"),
        pieces=body.get("pieces"),
        points=body.get("most_points"),
        slot=body.get("slot"),
        waits=body["wait"],
    )


def _basket(body: Body, card: Held) -> Basket | None:
    minor = _wish(body, card).basket_minor
    return None if minor is None else Basket(amount_minor=minor)


def _code(call: Call, card: Held) -> Found:
    """The code that was sent; wrong ones are counted for the key and the till that it speaks for.

    Raises: NotFound `unknown_code`; TooManyRequests `locked`.
    """
    subject = ":".join((call.caller.actor, call.body["store"] or "", call.body["terminal"] or ""))
    throttle.check_lock(call.session, WRONG_CODES, subject, now=call.now)
    try:
        return coupons.find(call.session, card.programme_id, call.body["coupon"])
    except NotFound as refusal:
        throttle.count_failure(call.session, WRONG_CODES, subject, now=call.now)
        raise NotFound(refusal.code, refusal.public, errors={"coupon": refusal.public}, commits=True) from None


def _given(taking: Taking | None, currency: str) -> Body:
    is_later = taking is not None and (taking.slot_id is not None or taking.state == "waiting")
    return {
        "discount": _discount(taking, currency),
        "booking": taking.public_id if taking is not None else None,
        "booking_state": taking.state if taking is not None and is_later else None,
    }


def _discount(taking: Taking | None, currency: str) -> str | None:
    if taking is None or taking.value_minor is None:
        return None
    return money.decimal_text(taking.value_minor, currency)


def _hold(hold: Hold, taking: Taking | None, number: str, currency: str) -> Body:
    kind, _, name = hold.about.partition(":")
    return {
        "id": hold.id,
        "card": number,
        "reward": name if kind == "reward" else None,
        "unit": hold.unit,
        "units": hold.amount,
        "captured": hold.captured,
        "discount": _discount(taking, currency),
        "state": hold.state,
        "receipt": hold.receipt,
        "created_at": shapes.moment(hold.created_at),
        "expires_at": shapes.moment(hold.expires_at),
        "ended_at": shapes.moment(hold.ended_at) if hold.ended_at else None,
    }


OPERATIONS = (
    Operation(
        method="POST",
        rule="/cards/<number>/redeem",
        name="redeem",
        summary="Use up points, take a reward, use an offer or a unique code",
        description="Exactly one of points, reward, offer and coupon.",
        tag="cards",
        scope="write",
        work=redeem,
        body=holds_shapes.NewRedemption,
        answer=holds_shapes.Redeemed,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/holds",
        name="place_hold",
        summary="Put points aside, for a reward or for nothing in particular",
        description="Exactly one of points and reward. It is let go by itself after expires_in seconds.",
        tag="holds",
        scope="write",
        work=place_hold,
        body=holds_shapes.NewHold,
        answer=holds_shapes.HoldMoved,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="GET",
        rule="/holds/<hold>",
        name="read_hold",
        summary="Read a hold",
        tag="holds",
        work=read_hold,
        answer=holds_shapes.Hold,
    ),
    Operation(
        method="POST",
        rule="/holds/<hold>/capture",
        name="capture_hold",
        summary="Use up what is held, or a part of it; the rest is free again",
        tag="holds",
        scope="write",
        work=capture_hold,
        body=holds_shapes.Capture,
        answer=holds_shapes.Captured,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/holds/<hold>/void",
        name="void_hold",
        summary="Let go of what is held",
        tag="holds",
        scope="write",
        work=void_hold,
        body=incoming.Nothing,
        answer=holds_shapes.HoldMoved,
        status=201,
        moves_points=True,
    ),
)
