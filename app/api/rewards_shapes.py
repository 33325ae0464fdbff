"""What is sent and answered about rewards, their dates, and their bookings."""

import re

from marshmallow import Schema, fields, validate

from app.api import outgoing
from app.api.fields import Amount, Moment, Text, TextsByLanguage, Whole, YesNo, optional
from app.api.incoming import Strict, told
from app.ledger.booking import LARGEST_POINTS
from app.rewards.catalogue import LARGEST_LIMIT, LONGEST_ABOUT, LONGEST_GOAL_DAYS, LONGEST_NAME
from app.rewards.models import KINDS
from app.rewards.slots import LARGEST_CAPACITY

KIND = validate.OneOf(KINDS, error=f"A reward is one of {', '.join(KINDS)}.")
UNIT = validate.Regexp(
    re.compile(r"^(points|voucher:[a-z]{3}_[0-9a-z]{1,64})$"),
    error='Write "points", or "voucher:" and the id of a stamp card.',
)
NO_SHOW = validate.OneOf(("keep", "give_back"), error='Write "keep" or "give_back".')


class RewardChange(Strict):
    name = Text(shortest=1, longest=LONGEST_NAME)
    points = Whole(least=1, most=LARGEST_POINTS, metadata=told("The price, or one step of a flexible reward"))
    texts = TextsByLanguage(longest=LONGEST_NAME, metadata=told("The name in other languages"))
    about = Text(longest=LONGEST_ABOUT, lines=True, metadata=told("What it is, or the condition of a free gift"))
    about_texts = TextsByLanguage(longest=LONGEST_ABOUT)
    flexible = YesNo(metadata=told('As many steps as the member likes: "1 point = 0.10"'))
    value = optional(Amount(metadata=told("Money off, or what one step of a flexible reward is worth")))
    max_share = optional(Whole(least=1, most=100, metadata=told("Percent of the basket that a discount may pay")))
    min_spend = optional(Amount(metadata=told("The least basket")))
    needs_pieces = optional(Whole(least=1, most=LARGEST_LIMIT, metadata=told("Pieces that must be in the basket")))
    needs_product = Text(longest=LONGEST_NAME, metadata=told("Of this product or category; of any, if empty"))
    pick_up = YesNo(metadata=told("It is handed out at a later scan"))
    limit_per_member = optional(Whole(least=1, most=LARGEST_LIMIT))
    limit_per_member_day = optional(Whole(least=1, most=LARGEST_LIMIT))
    limit_total = optional(Whole(least=1, most=LARGEST_LIMIT))
    limit_per_day = optional(Whole(least=1, most=LARGEST_LIMIT, metadata=told("Of all members together")))
    stock = optional(Whole(least=0, most=LARGEST_LIMIT, metadata=told("Begins or, with null, ends the counting")))
    stock_change = Whole(least=-LARGEST_LIMIT, most=LARGEST_LIMIT, metadata=told("Pieces that came or went"))
    starts_at = optional(Moment())
    ends_at = optional(Moment())
    stores = fields.List(Text(shortest=1, longest=80), metadata=told("Ids; none means all"))
    tiers = fields.List(Text(shortest=1, longest=80), metadata=told("Ids; none means all"))
    no_show = Text(longest=9, validate=[NO_SHOW], metadata=told("What becomes of the price of who does not come"))
    cancel_before_hours = Whole(least=0, most=2160)
    goal_days = optional(
        Whole(least=1, most=LONGEST_GOAL_DAYS, metadata=told("Points that are saved for it live at least so long"))
    )


class NewReward(RewardChange):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    name = Text(shortest=1, longest=LONGEST_NAME, required=True)
    kind = Text(longest=20, validate=[KIND])
    unit = Text(longest=80, validate=[UNIT], metadata=told('"points", or "voucher:" and the id of a stamp card'))

    class Meta(Strict.Meta):
        exclude = ("stock_change",)


class Reward(Schema):
    id = outgoing.text()
    programme = outgoing.text()
    kind = outgoing.one_of(*KINDS)
    name = outgoing.text()
    points = fields.Integer(required=True, metadata={"description": "The price in its unit; 0: on its condition"})
    unit = outgoing.text(null=True)
    texts = outgoing.texts()
    about = outgoing.text()
    about_texts = outgoing.texts()
    flexible = fields.Boolean(required=True)
    value = outgoing.money(null=True)
    max_share = outgoing.whole(null=True)
    min_spend = outgoing.money(null=True)
    needs_pieces = outgoing.whole(null=True)
    needs_product = outgoing.text()
    pick_up = fields.Boolean(required=True)
    limit_per_member = outgoing.whole(null=True)
    limit_per_member_day = outgoing.whole(null=True)
    limit_total = outgoing.whole(null=True)
    limit_per_day = outgoing.whole(null=True)
    used = outgoing.whole()
    stock = outgoing.whole(null=True)
    starts_at = outgoing.moment(null=True)
    ends_at = outgoing.moment(null=True)
    stores = fields.List(fields.String(), required=True)
    tiers = fields.List(fields.String(), required=True)
    no_show = outgoing.one_of("keep", "give_back")
    cancel_before_hours = outgoing.whole()
    goal_days = outgoing.whole(null=True)
    active = fields.Boolean(required=True)
    created_at = outgoing.moment()


class NewSlot(Strict):
    starts_at = Moment(required=True)
    ends_at = Moment(required=True)
    capacity = Whole(least=1, most=LARGEST_CAPACITY, required=True)


class Slot(Schema):
    id = outgoing.text()
    starts_at = outgoing.moment()
    ends_at = outgoing.moment()
    capacity = outgoing.whole()
    free = outgoing.whole()
    state = outgoing.one_of("open", "over", "called_off")


class Slots(Schema):
    items = fields.List(fields.Nested(Slot), required=True)


class Booking(Schema):
    """What was taken and is still to be picked up, or a place of an experience."""

    id = outgoing.text()
    reward = outgoing.text()
    name = outgoing.text()
    state = outgoing.one_of("held", "taken", "waiting", "ended", "returned")
    slot = outgoing.text(null=True)
    starts_at = outgoing.moment(null=True)
    ends_at = outgoing.moment(null=True)
    collected_at = outgoing.moment(null=True)


class Bookings(Schema):
    items = fields.List(fields.Nested(Booking), required=True)


class Collection(Strict):
    store = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store")))


class NewGoal(Strict):
    reward = optional(Text(shortest=1, longest=80, required=True, metadata=told("Id of the reward; null: no goal")))


class Goal(Schema):
    reward = outgoing.text(null=True)
    name = outgoing.text(null=True)
    has = outgoing.whole()
    needs = outgoing.whole(null=True)
    keeps_until = outgoing.moment(null=True)


RewardPage = outgoing.pages_of(Reward)
