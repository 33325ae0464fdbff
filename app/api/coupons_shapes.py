"""What is sent and answered about batches of unique codes."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from app.api import outgoing
from app.api.fields import Moment, Text, Whole, optional
from app.api.incoming import Strict, told
from app.ledger.booking import LARGEST_POINTS

MOST_OWN = 5_000
LARGEST_ASKED = 10**9


class NewCouponBatch(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    name = Text(shortest=1, longest=100, required=True)
    size = Whole(least=1, most=LARGEST_ASKED, metadata=told("How many codes to make, at most 1000000"))
    codes = fields.List(
        Text(shortest=1, longest=64), metadata=told(f"Instead of size: at most {MOST_OWN} codes of your own")
    )
    reward = Text(shortest=1, longest=80, metadata=told("Id of the reward that a code gives, free of charge"))
    points = Whole(least=1, most=LARGEST_POINTS, metadata=told("Points that a code gives"))
    offer = Text(shortest=1, longest=80, metadata=told("Id of the offer that a code lets use"))
    stores = fields.List(Text(shortest=1, longest=80), load_default=list, metadata=told("Ids; none means all"))
    starts_at = optional(Moment(load_default=None))
    ends_at = optional(Moment(load_default=None))

    @validates_schema(skip_on_field_errors=True)
    def check_choices(self, data: dict[str, Any], **_: Any) -> None:
        for names in (("size", "codes"), ("reward", "points", "offer")):
            given = [name for name in names if name in data]
            if len(given) != 1:
                advice = f"Send exactly one of {', '.join(names[:-1])} and {names[-1]}."
                raise ValidationError({name: [advice] for name in given or names[:1]})
        if not 1 <= len(data.get("codes", [0])) <= MOST_OWN:
            raise ValidationError({"codes": [f"Send 1 to {MOST_OWN} codes at a time."]})


class CouponBatch(Schema):
    id = outgoing.text()
    programme = outgoing.text()
    name = outgoing.text()
    reward = outgoing.text(null=True)
    points = outgoing.whole(null=True)
    offer = outgoing.text(null=True)
    stores = fields.List(fields.String(), required=True)
    size = outgoing.whole()
    made = outgoing.whole()
    used = outgoing.whole()
    state = outgoing.one_of("making", "ready", "revoked")
    is_readable = fields.Boolean(required=True, metadata={"description": "Whether the codes can still be read"})
    starts_at = outgoing.moment(null=True)
    ends_at = outgoing.moment(null=True)
    created_at = outgoing.moment()
    revoked_at = outgoing.moment(null=True)


class CouponCodes(Schema):
    items = fields.List(fields.String(), required=True)
    next = optional(fields.String(required=True, metadata={"description": "Send it as ?cursor= for the next page"}))


CouponBatchPage = outgoing.pages_of(CouponBatch)
