"""Bodies and answers of calls about tiers."""

from marshmallow import Schema, fields, validate

from app.api import outgoing
from app.api.fields import Text, TextsByLanguage, Whole, YesNo, optional
from app.api.incoming import COLOR, MULTIPLIER, Strict, told
from app.tiers.changing import GRACE_MAX, MONTHS_MAX, TIERS_MAX
from app.tiers.rules import Drop, Metric, Window
from app.tiers.service import REASON_CHARACTERS

METRICS, WINDOWS, DROPS = ([one.value for one in kind] for kind in (Metric, Window, Drop))
DAY = "Write a day as year-month-day, for example 2027-06-30."


class PolicyChange(Strict):
    metric = Text(longest=10, validate=[validate.OneOf(METRICS, error=f"The metric is one of {', '.join(METRICS)}.")])
    window = Text(longest=10, validate=[validate.OneOf(WINDOWS, error=f"The window is one of {', '.join(WINDOWS)}.")])
    months = Whole(least=0, most=1000, metadata=told(f"Of a rolling window, 1 to {MONTHS_MAX}"))
    validity_months = Whole(
        least=0, most=1000, metadata=told("A tier lasts to the end of the month so many months after it was reached")
    )
    grace_days = Whole(least=-1, most=1000, metadata=told(f"Added before a drop, 0 to {GRACE_MAX}"))
    drop = Text(longest=10, validate=[validate.OneOf(DROPS, error=f"The drop is one of {', '.join(DROPS)}.")])
    strict = YesNo(metadata=told("true: a return that undoes a threshold takes the tier at once"))


class TierChange(Strict):
    id = optional(Text(longest=30, load_default=None, metadata=told("Of a tier that there is; else the name decides")))
    name = Text(shortest=1, longest=40, required=True)
    threshold = Text(
        shortest=1, longest=17, required=True,
        metadata=told('Money as a decimal string, or a whole number of points or visits in quotes', example="2000.00"),
    )  # fmt: skip
    multiplier = Text(longest=5, validate=[MULTIPLIER], load_default="1", metadata=told("Of points, such as 1.5"))
    background_color = optional(Text(longest=7, validate=[COLOR], load_default=None))
    texts = TextsByLanguage(longest=40, load_default=dict)


class TiersChange(Strict):
    policy = fields.Nested(PolicyChange, load_default=dict, metadata={"description": "What is left out stays"})
    tiers = fields.List(
        fields.Nested(TierChange),
        required=True,
        validate=[validate.Length(max=TIERS_MAX, error=f"A programme has at most {TIERS_MAX} tiers.")],
        metadata={"description": "All of them, lowest first; one that is left out is deleted"},
    )
    dry_run = YesNo(load_default=False, metadata=told("true: say who would move, save nothing"))


class NewGrant(Strict):
    tier = optional(Text(longest=40, required=True, metadata=told("Id or name; null takes a given tier back")))
    until = optional(
        fields.Date(
            load_default=None, error_messages={"invalid": DAY},
            metadata=told("The last day, in the programme's zone", example="2027-06-30"),
        )
    )  # fmt: skip
    reason = Text(longest=REASON_CHARACTERS, load_default="", metadata=told("Why, for the log"))


class TierPolicy(Schema):
    metric = outgoing.one_of(*METRICS)
    window = outgoing.one_of(*WINDOWS)
    months = outgoing.whole()
    validity_months = outgoing.whole()
    grace_days = outgoing.whole()
    drop = outgoing.one_of(*DROPS)
    strict = fields.Boolean(required=True)


class TierWithMembers(outgoing.Tier):
    members = outgoing.whole()


# names of tiers, null is no tier; `from` cannot be written as a field of a class
Move = Schema.from_dict(
    {"from": outgoing.text(null=True), "to": outgoing.text(null=True), "members": outgoing.whole()}, name="TierMove"
)


class Moves(Schema):
    """Who moves at once. Cards follow within minutes."""

    members = outgoing.whole()
    up = outgoing.whole()
    down = outgoing.whole()
    moves = fields.List(fields.Nested(Move), required=True)


class Tiers(Schema):
    programme = outgoing.text()
    policy = fields.Nested(TierPolicy, required=True)
    tiers = fields.List(fields.Nested(TierWithMembers), required=True)
    recalculating = fields.Boolean(
        required=True, metadata={"description": "true: cards are being brought to changed tiers"}
    )


class TiersChanged(Tiers):
    saved = fields.Boolean(required=True)
    preview = fields.Nested(Moves, required=True)


class Grant(Schema):
    tier = outgoing.text()
    until = fields.Date(required=True)
    reason = outgoing.text()


class TierOfCard(Schema):
    card = outgoing.text()
    tier = outgoing.text(null=True)
    valid_to = optional(fields.Date(required=True))
    grant = optional(fields.Nested(Grant, required=True))
    counts = outgoing.one_of(*METRICS)
    metric = outgoing.money()
    to_keep = outgoing.money(null=True)
    keep_by = optional(fields.Date(required=True))
    to_next = outgoing.money(null=True)
    next_by = optional(fields.Date(required=True))
