"""What answers look like, for the description of the API; `shapes` makes them."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api.fields import optional
from app.ledger.models import KINDS


def text(*, null: bool = False, **metadata: Any) -> fields.Field[Any]:
    """A text that is always there."""
    made = fields.String(required=True, metadata=metadata)
    return optional(made) if null else made


def moment(*, null: bool = False) -> fields.Field[Any]:
    """A time with its offset."""
    made = fields.DateTime(required=True)
    return optional(made) if null else made


def whole(*, null: bool = False) -> fields.Field[Any]:
    """A whole number."""
    made = fields.Integer(required=True)
    return optional(made) if null else made


def money(*, null: bool = False) -> fields.Field[Any]:
    """A decimal string."""
    made = fields.String(required=True, metadata={"pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
    return optional(made) if null else made


def one_of(*values: str) -> fields.Field[Any]:
    """One of a few words."""
    return fields.String(required=True, validate=[validate.OneOf(values)])


def texts() -> fields.Field[Any]:
    """Texts by language."""
    return fields.Dict(keys=fields.String(), values=fields.String(), required=True)


def pages_of(kind: type[Schema]) -> type[Schema]:
    """A page of a list."""
    name = f"{kind.__name__}Page"
    following = optional(
        fields.String(required=True, metadata={"description": "Send it as ?cursor= for the next page"})
    )
    return Schema.from_dict({"items": fields.List(fields.Nested(kind), required=True), "next": following}, name=name)


class Problem(Schema):
    """RFC 9457."""

    type = text()
    title = text()
    status = whole()
    code = text(description="Stable: the last part of type")
    detail = text(description="What is wrong and how to mend it")
    instance = text()
    errors = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "A sentence for each faulty field"}
    )


class EarnRule(Schema):
    points = whole()
    per = money()


class Tier(Schema):
    id = text()
    name = text()
    threshold = money()
    multiplier = text()
    background_color = text(null=True)
    texts = texts()


class Programme(Schema):
    id = text()
    slug = text()
    name = text()
    currency = text()
    timezone = text()
    language = text()
    pass_type_identifier = text()
    team_identifier = text()
    organization_name = text()
    description = text()
    status = one_of("live", "paused", "ended")
    earn = fields.Nested(EarnRule, required=True)
    tiers = fields.List(fields.Nested(Tier), required=True)
    design = fields.Dict(required=True)
    created_at = moment()


class Store(Schema):
    id = text()
    programme = text()
    name = text()
    timezone = text()
    latitude = fields.Float(required=True, allow_none=True)
    longitude = fields.Float(required=True, allow_none=True)
    region = text()
    created_at = moment()


class Links(Schema):
    page = text(description="The customer's own page")
    apple = text(description="The signed .pkpass")
    google = text(null=True, description="Leads to Google's save page; null where Google Wallet is not configured")


class Card(Schema):
    number = text()
    serial = text()
    balance = whole()
    tier = text(null=True)
    status = one_of("active", "voided", "erased")
    version = whole()
    links = fields.Nested(Links, required=True)


class Enrolled(Schema):
    """A member without what names them: this answer is kept with the Idempotency-Key."""

    id = text()
    programme = text()
    status = one_of("active", "erased")
    language = text()
    marketing_consent = fields.Boolean(required=True)
    created_at = moment()
    card = fields.Nested(Card, required=True)


class Person(Schema):
    id = text()
    programme = text()
    status = one_of("active", "erased")
    name = text(null=True)
    email = text(null=True)
    phone = text(null=True)
    birthday = text(null=True)
    language = text()
    marketing_consent = fields.Boolean(required=True)
    attributes = fields.Dict(required=True)
    created_at = moment()
    erased_at = moment(null=True)


class Member(Person):
    card = fields.Nested(Card, required=True)


class Transaction(Schema):
    id = text()
    kind = one_of(*KINDS)
    card = text()
    points = whole()
    amount = money(null=True)
    currency = text(null=True)
    store = text(null=True)
    receipt = text(null=True)
    reward = text(null=True)
    offer = text(null=True)
    reverses = text(null=True)
    note = text()
    reasons = fields.List(fields.String(), required=True)
    channel = text()
    occurred_at = moment()
    recorded_at = moment()


class Moved(Schema):
    transaction = fields.Nested(Transaction, required=True)
    balance = whole()
    tier = text(null=True)


class Reversed(Transaction):
    """The counter-entry, and again as `transaction` so that one reader serves earn, redeem and reverse."""

    transaction = fields.Nested(Transaction, required=True)
    balance = whole()
    tier = text(null=True)


class Offer(Schema):
    id = text()
    programme = text()
    title = text()
    body = text()
    texts = fields.Dict(
        keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.String()), required=True
    )
    starts_at = moment()
    ends_at = moment()
    timezone = text()
    segment = text(description='"all" or the id of a tier')
    limit_per_card = whole(null=True)
    limit_total = whole(null=True)
    used = whole()
    announce = fields.Boolean(required=True)
    state = one_of("scheduled", "live", "ended", "cancelled")
    created_at = moment()


class Reach(Schema):
    """Whom it reaches, and how long it takes from its start until the last phone is told."""

    cards = whole()
    apple_phones = whole()
    google_cards = whole()
    is_exact = fields.Boolean(
        required=True, metadata={"description": "false: phones of a large audience are estimated from a sample of it"}
    )
    apple_seconds = whole()
    google_seconds = whole()


class BulkChange(Schema):
    """How far an offer has come on its way through the cards."""

    reason = one_of("offer_started", "offer_ended")
    state = one_of("waiting", "running", "paused", "stopped", "done")
    audience = whole(null=True)
    touched = whole()
    left = whole()
    phones_behind = whole()
    seconds_left = whole(null=True)
    created_at = moment()
    started_at = moment(null=True)
    finished_at = moment(null=True)


class OfferInFull(Offer):
    reach = fields.Nested(Reach, required=True)
    change = optional(fields.Nested(BulkChange, required=True))


class OfferOnCard(Schema):
    id = text()
    title = text()
    body = text()
    starts_at = moment()
    ends_at = moment()
    refusal = text(null=True, description="Why it cannot be used now, as a code; null if it can")


class WholeCard(Card):
    programme = text()
    member = fields.Nested(Person, required=True)
    offers = fields.List(fields.Nested(OfferOnCard), required=True)
    transactions = fields.List(fields.Nested(Transaction), required=True)


ProgrammePage = pages_of(Programme)
StorePage = pages_of(Store)
MemberPage = pages_of(Member)
TransactionPage = pages_of(Transaction)
OfferPage = pages_of(Offer)
