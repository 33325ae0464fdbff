"""Bodies and answers of calls about limits, notices, corrections and joined cards."""

from marshmallow import Schema, fields, validate

from app.api import outgoing
from app.api.fields import Text, Whole, optional
from app.api.incoming import SPOKEN, PageOfProgramme, Strict, told
from app.api.outgoing import Transaction, moment, one_of, pages_of, whole
from app.fraud.rules import MOST, ROLES, USUAL_CORRECTIONS
from app.ledger.booking import LARGEST_POINTS

STATES = ("waiting", "done", "refused", "expired")


def _limit(what: str) -> fields.Field[object]:
    return optional(Whole(least=1, most=MOST, load_default=None, metadata=told(f"{what}; null: no limit")))


class ControlLimitsChange(Strict):
    card_per_hour = _limit("Purchases of one card in an hour")
    card_per_day = _limit("Purchases of one card in a day")
    person_per_hour = _limit("Purchases that one person books in an hour")
    person_points_per_hour = _limit("Points that one person gives in an hour")
    store_per_hour = _limit("Purchases at one store in an hour")
    tell_sales_per_day = optional(
        Whole(least=1, most=MOST, load_default=5, metadata=told("Purchases of a card in a day beyond which it is told"))
    )
    tell_tills_per_day = optional(
        Whole(least=1, most=MOST, load_default=3, metadata=told("Tills of a card in a day beyond which it is told"))
    )
    soon_min = Whole(least=0, most=MOST, load_default=10, metadata=told("Minutes within which a purchase is remarked"))
    open_from = optional(Text(longest=5, load_default=None, metadata=told("The stores' clock", example="08:00")))
    open_to = optional(Text(longest=5, load_default=None, metadata=told("Beyond it is told", example="22:00")))
    corrections = fields.Dict(
        keys=fields.String(validate=[validate.OneOf(ROLES)]),
        values=Whole(least=0, most=MOST),
        load_default=lambda: dict(USUAL_CORRECTIONS),
        metadata=told("Units that a role corrects alone"),
    )


class ControlLimits(Schema):
    card_per_hour = whole(null=True)
    card_per_day = whole(null=True)
    person_per_hour = whole(null=True)
    person_points_per_hour = whole(null=True)
    store_per_hour = whole(null=True)
    tell_sales_per_day = whole(null=True)
    tell_tills_per_day = whole(null=True)
    soon_min = whole()
    open_from = outgoing.text(null=True)
    open_to = outgoing.text(null=True)
    corrections = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class PageOfNotices(PageOfProgramme):
    state = fields.String(
        load_default="open", validate=[validate.OneOf(("open", "dismissed"), error="A notice is open or dismissed.")]
    )
    language = Text(longest=5, validate=[SPOKEN], load_default="en", metadata=told("Of the sentences"))


class Because(Strict):
    reason = Text(shortest=1, longest=500, required=True, metadata=told("Why this is no matter, 3 characters or more"))


class Notice(Schema):
    id = outgoing.text()
    programme = outgoing.text()
    kind = outgoing.text()
    title = outgoing.text()
    text = outgoing.text()
    card = outgoing.text(null=True)
    store = outgoing.text(null=True)
    actor = outgoing.text()
    facts = fields.Dict(required=True)
    at = moment()
    dismissed_at = moment(null=True)
    dismissed_by = outgoing.text(null=True)
    dismissed_because = outgoing.text(null=True)


class NewAdjustment(Strict):
    unit = Text(longest=80, load_default="points", metadata=told("points, stamp:<id>, or the programme's currency"))
    units = Whole(
        least=-LARGEST_POINTS, most=LARGEST_POINTS, required=True,
        metadata=told("More, or below zero fewer; of a currency in minor units"),
    )  # fmt: skip
    reason = Text(shortest=1, longest=200, required=True, metadata=told("3 characters or more"))


class PageOfAdjustments(PageOfProgramme):
    state = fields.String(
        load_default="waiting", validate=[validate.OneOf(STATES, error=f"A correction is {', '.join(STATES)}.")]
    )


class Adjustment(Schema):
    id = outgoing.text()
    programme = outgoing.text()
    card = outgoing.text()
    unit = outgoing.text()
    units = whole()
    reason = outgoing.text()
    state = one_of(*STATES)
    asked_by = outgoing.text()
    asked_at = moment()
    decided_by = outgoing.text(null=True)
    decided_at = moment(null=True)
    transaction = fields.Nested(Transaction, required=True, allow_none=True)


class NewMerge(Strict):
    into = Text(shortest=1, longest=64, required=True, metadata=told("Number of the card that stays"))
    reason = Text(shortest=1, longest=200, required=True, metadata=told("3 characters or more"))


class Merge(Schema):
    id = outgoing.text()
    card = outgoing.text(description="The card that was given up")
    into = outgoing.text()
    units = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True,
        metadata={"description": "What was moved, by unit; below zero: what was owed"},
    )  # fmt: skip
    reason = outgoing.text()
    made_by = outgoing.text()
    made_at = moment()
    undone_at = moment(null=True)


NoticePage = pages_of(Notice)
AdjustmentPage = pages_of(Adjustment)
