"""What is sent and answered when units are put aside or used up for a reward."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from app.api import outgoing
from app.api.fields import Amount, Text, Whole, YesNo, optional
from app.api.incoming import Strict, told
from app.ledger.booking import LARGEST_POINTS

LONGEST_LIFE_S = 3600
SHORTEST_LIFE_S = 30


class _Choice(Strict):
    """What is asked for; exactly one of what `_one_of` names."""

    _one_of: tuple[str, ...] = ("points", "reward")

    points = Whole(least=1, most=LARGEST_POINTS)
    reward = Text(shortest=1, longest=80, metadata=told("Id of the reward"))
    most_points = Whole(least=1, most=LARGEST_POINTS, metadata=told("Of a flexible reward: use no more than these"))
    basket = optional(Amount(load_default=None, metadata=told("What the purchase costs", example="42.00")))
    pieces = fields.Dict(
        keys=Text(shortest=1, longest=100),
        values=Whole(least=0, most=LARGEST_POINTS),
        metadata=told("Pieces in the basket by product or category, for rewards on a condition"),
    )
    slot = Text(shortest=1, longest=80, metadata=told("Id of the date, of an experience"))
    wait = YesNo(load_default=False, metadata=told("A place on the waiting list will do"))
    receipt = optional(Text(shortest=1, longest=100, load_default=None))
    store = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store")))

    @validates_schema(skip_on_field_errors=True)
    def check_one(self, data: dict[str, Any], **_: Any) -> None:
        given = [name for name in self._one_of if name in data]
        if len(given) != 1:
            advice = f"Send exactly one of {', '.join(self._one_of[:-1])} and {self._one_of[-1]}."
            raise ValidationError({name: [advice] for name in given or ("points",)})


class NewRedemption(_Choice):
    _one_of = ("points", "reward", "offer", "coupon")

    offer = Text(shortest=1, longest=80, metadata=told("Id of the offer"))
    coupon = Text(shortest=1, longest=64, metadata=told("A unique code, however it is written"))
    terminal = optional(
        Text(shortest=1, longest=64, load_default=None, metadata=told("The till's name: wrong codes lock it alone"))
    )


class NewHold(_Choice):
    expires_in = Whole(
        least=SHORTEST_LIFE_S, most=LONGEST_LIFE_S, load_default=300, metadata=told("Seconds until it is let go")
    )


class Capture(Strict):
    points = Whole(least=1, most=LARGEST_POINTS, metadata=told("At most what is held; all of it if left out"))
    store = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store")))


class Redeemed(outgoing.Moved):
    """What a redemption moved; `discount` is what a discount or an offer takes off the basket, at most."""

    discount = outgoing.money(null=True)
    booking = outgoing.text(null=True, description="What is picked up, or come to, later")
    booking_state = outgoing.text(null=True, description="taken, or waiting for a place")


class Hold(Schema):
    id = outgoing.text()
    card = outgoing.text()
    reward = outgoing.text(null=True)
    unit = outgoing.text()
    units = outgoing.whole()
    captured = outgoing.whole()
    discount = outgoing.money(null=True)
    state = outgoing.one_of("open", "captured", "voided", "expired")
    receipt = outgoing.text(null=True)
    created_at = outgoing.moment()
    expires_at = outgoing.moment()
    ended_at = outgoing.moment(null=True)


class HoldMoved(Hold):
    balance = outgoing.whole()


class Captured(Redeemed):
    hold = fields.Nested(Hold, required=True)
