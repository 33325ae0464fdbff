"""Bodies and answers of calls about stamp cards."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api.fields import Amount, Moment, Text, Whole, optional
from app.api.incoming import SPOKEN, PageOfProgramme, Strict, told
from app.api.outgoing import Transaction, moment, money, one_of, pages_of, text, whole
from app.stamps.drafts import (
    GIVES,
    ITEM_KINDS,
    LONGEST_COOL_DOWN_MIN,
    LONGEST_ITEM,
    LONGEST_LIFE_DAYS,
    LONGEST_NAME,
    LONGEST_REWARD,
    REWARD_KINDS,
)
from app.stamps.models import FEWEST, MOST
from app.stamps.rules import MOST_AT_ONCE

STORES_MAX = 500


class StampTexts(Strict):
    name = Text(longest=LONGEST_NAME)
    reward = Text(longest=LONGEST_REWARD)


class StampCardChange(Strict):
    """All that a stamp card says; what is left out is as if it had never been said."""

    name = Text(shortest=1, longest=LONGEST_NAME, required=True)
    reward = Text(shortest=1, longest=LONGEST_REWARD, required=True, metadata=told("What a full card gives"))
    size = Whole(least=FEWEST, most=MOST, required=True, metadata=told("How many stamps make a full card"))
    gives = Text(
        longest=10,
        load_default="visit",
        validate=[validate.OneOf(GIVES, error="Stamps are given per visit, piece or amount.")],
        metadata=told("visit: by hand; piece and amount: by sales too"),
    )
    per = optional(Amount(load_default=None, metadata=told("With amount: one stamp for each of it", example="50.00")))
    item_kind = Text(
        longest=10,
        load_default="any",
        validate=[validate.OneOf(ITEM_KINDS, error="A stamp card is for any item, a product or a category.")],
    )
    item = optional(Text(longest=LONGEST_ITEM, load_default="", metadata=told("As the lines of sales name it")))
    priority = optional(
        Whole(least=1, most=1000, load_default=None, metadata=told("Of two for the same item the lower one wins"))
    )
    texts = fields.Dict(
        keys=Text(longest=5, validate=[SPOKEN]),
        values=fields.Nested(StampTexts),
        load_default=dict,
        metadata=told('In other languages: {"tr": {"name": "…", "reward": "…"}}'),
    )
    reward_kind = Text(
        longest=12,
        load_default="item",
        validate=[validate.OneOf(REWARD_KINDS, error=f"A reward is one of {', '.join(REWARD_KINDS)}.")],
    )
    reward_value = optional(
        Text(longest=17, load_default=None, metadata=told("With amount_off money, with percent_off 1 to 100"))
    )
    stamps_live_days = optional(Whole(least=1, most=LONGEST_LIFE_DAYS, load_default=None))
    vouchers_live_days = optional(Whole(least=1, most=LONGEST_LIFE_DAYS, load_default=None))
    cool_down_min = Whole(
        least=0, most=LONGEST_COOL_DOWN_MIN, load_default=10, metadata=told("Warns the cashier and blocks nothing")
    )
    stores = fields.List(
        Text(shortest=1, longest=80),
        load_default=list,
        validate=[validate.Length(max=STORES_MAX, error=f"At most {STORES_MAX} stores; leave it out for all.")],
        metadata=told("Ids of stores; all unless given"),
    )
    starts_at = optional(Moment(load_default=None, metadata=told("At once unless given")))
    ends_at = optional(Moment(load_default=None))


class NewStampCard(StampCardChange):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))


def _store() -> fields.Field[Any]:
    return optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store")))


class NewStamps(Strict):
    stamp_card = Text(shortest=1, longest=80, required=True, metadata=told("Id of the stamp card"))
    count = Whole(least=1, most=MOST_AT_ONCE, load_default=1, metadata=told("More than 50 need a key of scope admin"))
    store = _store()
    receipt = optional(
        Text(shortest=1, longest=100, load_default=None, metadata=told("Gives stamps once in each store"))
    )


class VoucherUse(Strict):
    stamp_card = Text(shortest=1, longest=80, required=True, metadata=told("Id of the stamp card"))
    store = _store()
    receipt = optional(Text(shortest=1, longest=100, load_default=None))


class StampCard(Schema):
    id = text()
    programme = text()
    name = text()
    reward = text()
    texts = fields.Dict(
        keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.String()), required=True
    )
    size = whole()
    gives = one_of(*GIVES)
    per = money(null=True)
    item_kind = one_of(*ITEM_KINDS)
    item = text()
    priority = whole(null=True)
    reward_kind = one_of(*REWARD_KINDS)
    reward_value = text(null=True)
    stamps_live_days = whole(null=True)
    vouchers_live_days = whole(null=True)
    cool_down_min = whole()
    stores = fields.List(fields.String(), required=True)
    starts_at = moment()
    ends_at = moment(null=True)
    state = one_of("scheduled", "live", "ended")
    created_at = moment()


class Progress(Schema):
    stamp_card = text()
    name = text()
    reward = text()
    stamps = whole()
    size = whole()
    vouchers = whole()
    owed = whole()
    shown = text(description="As the card shows it")


class ProgressList(Schema):
    items = fields.List(fields.Nested(Progress), required=True)


class Stamped(Schema):
    transaction = fields.Nested(Transaction, required=True)
    stamp_card = text()
    stamps = whole()
    size = whole()
    rewards = whole()
    vouchers = whole()
    warnings = fields.List(fields.String(), required=True)


StampCardPage = pages_of(StampCard)
PageOfStampCards = PageOfProgramme
