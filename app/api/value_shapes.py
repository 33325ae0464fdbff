"""Bodies and answers of calls about money on cards."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api.fields import Amount, Text, Whole, YesNo, optional
from app.api.incoming import CURRENCY, SPOKEN, Strict, told
from app.api.outgoing import Links, Transaction, moment, money, one_of, text, whole
from app.value.service import LONGEST_REFERENCE, PAID_OUT, WAIVED
from app.value.stock import LARGEST_BATCH, LONGEST_NAME

_NO_EXPIRY = "Loaded money never expires; leave this out."


def _currency() -> fields.Field[Any]:
    return optional(Text(longest=3, validate=[CURRENCY], load_default=None, metadata=told("The programme's")))


def _store() -> fields.Field[Any]:
    return optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the store")))


def _reason() -> fields.Field[Any]:
    return Text(shortest=1, longest=200, required=True)


class NewLoad(Strict):
    amount = Amount(required=True, metadata=told("Above zero, at most the programme's limit", example="500.00"))
    currency = _currency()
    funding_reference = optional(
        Text(longest=LONGEST_REFERENCE, load_default=None, metadata=told("Required: what paid for it. Loads once"))
    )
    store = _store()
    expires_at = fields.Raw(load_default=None, metadata=told("Refused: loaded money never expires"))

    @validates_schema
    def check_no_expiry(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("expires_at") is not None:
            raise ValidationError({"expires_at": [_NO_EXPIRY]})


class NewGiftCard(NewLoad):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))


class NewPayment(Strict):
    amount = Amount(required=True, metadata=told("What is to be paid, above zero", example="320.50"))
    currency = _currency()
    receipt = optional(Text(shortest=1, longest=100, load_default=None))
    store = _store()
    pin = optional(Text(longest=8, load_default=None, metadata=told("Asked for above the programme's limit")))
    accept_partial = YesNo(load_default=False, metadata=told("Whether to take what there is, if it is less"))
    using = fields.String(
        load_default="stored",
        validate=[validate.OneOf(("stored", "bonus"), error="Pay with stored or bonus money.")],
        metadata=told("stored: loaded money; bonus: what earlier sales gave"),
    )
    basket = optional(
        Amount(load_default=None, metadata=told("With bonus money: the whole basket, of which it may pay a share"))
    )


class NewRefund(Strict):
    amount = optional(Amount(load_default=None, metadata=told("All that is left of the payment unless given")))
    currency = _currency()
    store = _store()
    reason = optional(Text(longest=200, load_default=None))


class NewSettlement(Strict):
    how = fields.String(
        required=True,
        validate=[validate.OneOf((PAID_OUT, WAIVED), error="Money on a card is paid_out or waived.")],
    )
    reason = _reason()


class Why(Strict):
    reason = _reason()


class NewPin(Strict):
    pin = optional(Text(longest=8, load_default=None, metadata=told("4 to 8 digits; made for you unless given")))


class NewOwner(Strict):
    name = Text(longest=200, required=True)
    email = optional(Text(longest=254, load_default=None))
    phone = optional(Text(longest=40, load_default=None, metadata=told("With its country code")))
    birthday = optional(Text(longest=10, load_default=None, metadata=told("MM-DD")))
    language = optional(Text(longest=5, validate=[SPOKEN], load_default=None))
    marketing_consent = YesNo(load_default=False)


class NewBatch(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    kind = fields.String(
        required=True,
        validate=[validate.OneOf(("bearer", "gift"), error="A card without a person is a bearer or a gift card.")],
    )
    name = Text(shortest=1, longest=LONGEST_NAME, required=True, metadata=told("For the people who print them"))
    size = Whole(least=1, most=LARGEST_BATCH, required=True)


class LimitsChange(Strict):
    load_limit = optional(Amount(load_default=None, metadata=told("Most that a card holds after a load")))
    pin_above = optional(Amount(load_default=None, metadata=told("Larger payments ask for the PIN")))
    bearer_cap = optional(Amount(load_default=None, metadata=told("Most discount of a bearer card a year; null: any")))
    expires_days = fields.Raw(load_default=None, metadata=told("Refused: loaded money never expires"))

    @validates_schema
    def check_no_expiry(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("expires_days") is not None:
            raise ValidationError({"expires_days": [_NO_EXPIRY]})


class ValueMoved(Schema):
    transaction = fields.Nested(Transaction, required=True)
    balance = money()
    currency = text()


class ValueCard(Schema):
    number = text()
    serial = text()
    kind = one_of("gift", "bearer", "loyalty")
    status = one_of("active", "voided", "erased")
    balance = money()
    currency = text()
    links = fields.Nested(Links, required=True)


class IssuedGiftCard(ValueCard):
    pin = text(description="Asked for above the programme's limit; shown this once")
    transaction = fields.Nested(Transaction, required=True)


class ReplacedCard(ValueCard):
    pin = text(null=True, description="Of the new card, shown this once; null if the lost one had none")


class BoundCard(ValueCard):
    merged = fields.Boolean(
        required=True, metadata={"description": "true: the person had a card, which has it all now"}
    )


class Pin(Schema):
    pin = text(description="Shown this once")


class PrintedCard(Schema):
    number = text()
    barcode = text(description="What the QR code carries")
    page = text()


class BatchMade(Schema):
    id = text()
    programme = text()
    kind = one_of("bearer", "gift")
    name = text()
    size = whole()
    made_at = moment()
    cards = fields.List(fields.Nested(PrintedCard), required=True)


class Limits(Schema):
    currency = text()
    load_limit = money()
    pin_above = money()
    bearer_cap = money(null=True)


class Liability(Schema):
    programme = text()
    currency = text()
    at = moment()
    loaded = money()
    paid = money()
    refunded = money()
    paid_out = money()
    waived = money()
    outstanding = money()
    cards = whole()
    is_exact = fields.Boolean(required=True, metadata={"description": "Whether balances and postings sum to the same"})
