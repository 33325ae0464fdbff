"""What a sale may say, and what a sale, a quote and a return answer."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api.fields import Amount, Moment, Text, Whole, optional
from app.api.incoming import CURRENCY, Strict, told
from app.api.outgoing import Moved, money, text, whole
from app.earning.sale import LINE_KINDS

LINES_MAX = 500
PIECES_MAX = 100_000
RECEIPT = 100
OFFERS_MAX = 10
KIND = validate.OneOf(LINE_KINDS, error=f"A line is one of {', '.join(LINE_KINDS)}.")


class SaleLine(Strict):
    number = Whole(least=1, most=10_000, metadata=told("Of the line; its place in the list unless given"))
    product = Text(longest=100, load_default="", metadata=told("Number of the product, as rules name it"))
    category = Text(longest=100, load_default="", metadata=told("As rules name it", example="coffee"))
    quantity = Whole(least=1, most=PIECES_MAX, load_default=1)
    amount = Amount(required=True, metadata=told("The price of all its pieces", example="89.90"))
    discount = Amount(load_default="0", metadata=told("What the till has taken off it already"))
    kind = Text(
        longest=20, validate=[KIND], load_default="sale",
        metadata=told("gift_card (a load), deposit, tip, discount and reward earn nothing"),
    )  # fmt: skip


class _Basket(Strict):
    amount = optional(Amount(load_default=None, metadata=told("What was paid, above zero", example="12.50")))
    currency = optional(Text(longest=3, validate=[CURRENCY], load_default=None))
    lines = fields.List(
        fields.Nested(SaleLine),
        load_default=list,
        validate=[validate.Length(max=LINES_MAX, error=f"A receipt has at most {LINES_MAX} lines.")],
        metadata=told("The receipt, where rules look at products; amounts less discounts sum to `amount`"),
    )
    paid_with_points = Amount(load_default="0", metadata=told("The part of it that was paid with points"))
    store = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store")))
    at = optional(Moment(load_default=None, metadata=told("When the sale took place, if it arrives late")))

    @validates_schema(skip_on_field_errors=True)
    def check_lines(self, data: dict[str, Any], **_: Any) -> None:
        if data["amount"] is None and not data["lines"]:
            raise ValidationError({"amount": ["Send the amount, or the lines of the receipt, or both."]})
        numbers = [line.get("number", at) for at, line in enumerate(data["lines"], 1)]
        if len(set(numbers)) < len(numbers):
            raise ValidationError({"lines": ["Two lines have the same number."]})


class _WithOffers(_Basket):
    offers = fields.List(
        Text(shortest=1, longest=80),
        load_default=list,
        validate=[validate.Length(max=OFFERS_MAX, error=f"At most {OFFERS_MAX} offers are tried with one purchase.")],
        metadata=told("Ids of offers to use with it; unless they go together, the best of them is used"),
    )


class NewEarning(_WithOffers):
    receipt = optional(Text(shortest=1, longest=RECEIPT, load_default=None, metadata=told("Earns once in each store")))


class NewQuote(_WithOffers):
    """The same sale without a receipt: it is not booked."""


class QuoteForAnybody(_Basket):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug; what a new member would earn"))


class NewEvent(Strict):
    event = Text(shortest=1, longest=60, required=True, metadata=told("As the rules name it", example="review"))
    receipt = optional(
        Text(shortest=1, longest=RECEIPT, load_default=None, metadata=told("Its own number; earns once"))
    )
    store = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store")))


class LineBack(Strict):
    number = Whole(least=1, most=10_000, required=True, metadata=told("Of the line of the sale"))
    quantity = Whole(least=1, most=PIECES_MAX, required=True, metadata=told("Pieces that come back"))


class NewReturn(Strict):
    transaction = Text(shortest=1, longest=80, metadata=told("The sale; or its receipt"))
    receipt = Text(shortest=1, longest=RECEIPT, metadata=told("The sale's receipt number, with its store"))
    store = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store of that receipt")))
    lines = fields.List(
        fields.Nested(LineBack),
        load_default=None,
        validate=[validate.Length(min=1, max=LINES_MAX, error=f"One to {LINES_MAX} lines come back.")],
        metadata=told("Which pieces come back of a sale with lines; all that is left unless given"),
    )
    amount = optional(Amount(load_default=None, metadata=told("How much comes back of a sale without lines")))
    reason = Text(shortest=1, longest=500, load_default="returned")

    @validates_schema(skip_on_field_errors=True)
    def check_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("transaction" in data) == ("receipt" in data):
            raise ValidationError({"transaction": ["Name the sale by its transaction or by its receipt."]})
        if data["lines"] and data["amount"] is not None:
            raise ValidationError({"amount": ["Send either lines or an amount."]})


class QuotedLine(Schema):
    number = whole()
    points = whole()
    discount = money()


class OfferUsed(Schema):
    """What an offer does to a sale, or why it does nothing."""

    id = text()
    title = text()
    discount = money()
    points = whole()
    refusal = text(null=True, description="Why it is not used, as a code; null if it is")
    told = text(null=True, description="The same in one sentence, for the cashier")


class Priced(Schema):
    """How the rules see a sale. `discount` is what offers and rules take off together."""

    points = whole()
    reasons = fields.List(fields.String(), required=True)
    eligible = money()
    discount = money()
    to_pay = money()
    bonus = money()
    currency = text()
    lines = fields.List(fields.Nested(QuotedLine), required=True)
    offers = fields.List(fields.Nested(OfferUsed), required=True)
    rules_version = whole()


class Quote(Priced):
    balance = whole(null=True)
    tier = text(null=True)


class Sold(Moved):
    priced = fields.Nested(Priced, required=True)
    warnings = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Codes for the cashier: soon_again, if the card has earned minutes ago"},
    )
