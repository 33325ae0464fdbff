"""Bodies and answers of calls about the rules of earning."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api import outgoing
from app.api.fields import Moment, Text, Whole, YesNo, optional
from app.api.incoming import SPOKEN, Strict, told
from app.earning.receipts import ROWS_MAX
from app.earning.service import NOTE_MAX, example

CSV_MAX = 8 * 1024 * 1024
DAYS_MAX = 400
FAULTS_SHOWN = 1_000
RULES_TOLD = {
    "description": "stacking, carry, minimum, points_part_earns, pending_days, expiry, returns, and a list of rules; a "
    "rule's kind is amount, unit, visit, event, multiplier, bonus, exclusion, cap, discount or bonus_money",
    "example": example("TRY"),
}
RECEIPT = {"at": "2026-11-24T17:30:00+03:00", "amount": "178.00", "store": "Kadıköy", "card": "A-17", "tier": "Gold"}


def _rules(**kwargs: Any) -> fields.Field[Any]:
    return fields.Dict(
        keys=fields.String(),
        error_messages={"invalid": "Send the rules as an object; see the example."},
        metadata=RULES_TOLD,
        **kwargs,
    )


class InLanguage(Strict):
    language = Text(longest=5, validate=[SPOKEN], load_default="en", metadata=told("Of the sentences"))


class NewRules(Strict):
    rules = _rules(required=True)
    starts_at = optional(Moment(load_default=None, metadata=told("Now, if left out; never in the past")))
    note = Text(longest=NOTE_MAX, load_default="", metadata=told("Why, in a line"))
    based_on = optional(
        Whole(least=1, most=10**6, load_default=None, metadata=told("The last version that its author has seen"))
    )
    dry_run = YesNo(load_default=False, metadata=told("true: check and describe the rules, publish nothing"))


class Trial(Strict):
    rules = optional(_rules(load_default=None))
    point_value = optional(
        Text(longest=12, load_default=None, metadata=told("What a point is worth in money", example="0.10"))
    )
    receipts = fields.List(
        fields.Dict(keys=fields.String()),
        validate=[validate.Length(max=ROWS_MAX, error=f"At most {ROWS_MAX} receipts can be tried out at once.")],
        metadata={"description": "Sales of the past, each with at and amount or lines", "example": [RECEIPT]},
    )
    csv = fields.String(
        validate=[validate.Length(max=CSV_MAX, error="Send at most 8 MB of CSV.")],
        metadata=told("The same as CSV", example="at,amount\n2026-11-24 17:30,178.00\n"),
    )
    days = Whole(least=1, most=DAYS_MAX, metadata=told("The programme's own sales of the last days"))

    @validates_schema(skip_on_field_errors=True)
    def check_one(self, data: dict[str, Any], **_: Any) -> None:
        given = [name for name in ("receipts", "csv", "days") if name in data]
        if len(given) != 1:
            advice = "Send exactly one of receipts, csv and days."
            raise ValidationError({name: [advice] for name in given or ("receipts",)})


class RuleVersionLine(Schema):
    number = outgoing.whole()
    starts_at = outgoing.moment()
    state = outgoing.one_of("current", "planned", "past")
    note = outgoing.text()
    created_at = outgoing.moment()


class RuleVersion(RuleVersionLine):
    rules = fields.Dict(required=True, metadata=RULES_TOLD)
    sentences = fields.List(fields.String(), required=True, metadata={"description": "Each rule as a sentence"})
    overlaps = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Rules that can hold at the same time, and the outcome"},
    )


class Rules(Schema):
    programme = outgoing.text()
    current = fields.Nested(RuleVersion, required=True)
    versions = fields.List(fields.Nested(RuleVersionLine), required=True)


class PublishedRules(Schema):
    published = fields.Boolean(required=True)
    number = outgoing.whole(null=True)
    starts_at = outgoing.moment()
    sentences = fields.List(fields.String(), required=True)
    overlaps = fields.List(fields.String(), required=True)
    replaces = fields.List(
        fields.Integer(), required=True, metadata={"description": "Planned versions that will never begin"}
    )


class RuleShare(Schema):
    name = outgoing.text()
    is_tier = fields.Boolean(required=True, metadata={"description": "true: the factor of a tier, not a rule"})
    points = outgoing.whole()
    sales = outgoing.whole()


class TrialOutcome(Schema):
    points = outgoing.whole()
    earning_sales = outgoing.whole()
    discounts = outgoing.money()
    bonus_money = outgoing.money()
    cost = outgoing.money(null=True)
    give_back_percent = outgoing.money(null=True)
    by_rule = fields.List(fields.Nested(RuleShare), required=True)


class UnreadRow(Schema):
    row = outgoing.whole()
    text = outgoing.text()


class TrialAnswer(Schema):
    receipts = outgoing.whole()
    cards = outgoing.whole()
    spend = outgoing.money()
    currency = outgoing.text()
    first_at = outgoing.moment(null=True)
    last_at = outgoing.moment(null=True)
    draft = fields.Nested(TrialOutcome, required=True)
    current = fields.Nested(TrialOutcome, required=True)
    unjudged = fields.List(
        fields.String(), required=True, metadata={"description": "Rules that ask what receipts do not tell"}
    )
    unread = outgoing.whole()
    unread_rows = fields.List(
        fields.Nested(UnreadRow),
        required=True,
        metadata={"description": f"The first {FAULTS_SHOWN} rows that cannot be read, and why"},
    )
