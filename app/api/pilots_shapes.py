"""What is sent and answered about pilots."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api import outgoing
from app.api.fields import Text, optional
from app.api.incoming import Strict, told
from app.pilots.models import ARMS, KINDS, STATES
from app.pilots.reporting import METRICS
from app.pilots.service import LONGEST_NAME

DAY: dict[str, str | list[Any] | dict[Any, Any]] = {"invalid": "Write a day as year-month-day, for example 2026-12-31."}
IDS = told("Ids of stores")
REGIONS = told("All stores of these regions")


class NewPilot(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    name = Text(shortest=1, longest=LONGEST_NAME, required=True)
    kind = Text(
        longest=10, required=True, validate=[validate.OneOf(KINDS, error=f"This is one of {', '.join(KINDS)}.")]
    )
    subject = Text(
        shortest=1, longest=100, required=True,
        metadata=told("Id of the offer or the campaign, or name of the rule of earning"),
    )  # fmt: skip
    starts_on = fields.Date(required=True, error_messages=DAY)
    ends_on = fields.Date(required=True, error_messages=DAY, metadata=told("The last day, included"))
    pilot = fields.List(Text(shortest=1, longest=80), load_default=list, metadata=IDS)
    pilot_regions = fields.List(Text(shortest=1, longest=80), load_default=list, metadata=REGIONS)
    control = fields.List(Text(shortest=1, longest=80), load_default=list, metadata=IDS)
    control_regions = fields.List(Text(shortest=1, longest=80), load_default=list, metadata=REGIONS)


class Widening(Strict):
    """Without `stores` and `regions`, to all stores."""

    stores = fields.List(Text(shortest=1, longest=80), metadata=IDS)
    regions = fields.List(Text(shortest=1, longest=80), metadata=REGIONS)


class PilotStore(Schema):
    store = outgoing.text()
    arm = outgoing.one_of(*ARMS)


class Pilot(Schema):
    id = outgoing.text()
    programme = outgoing.text()
    name = outgoing.text()
    kind = outgoing.one_of(*KINDS)
    subject = outgoing.text()
    state = outgoing.one_of(*STATES)
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True)
    stores = fields.List(fields.Nested(PilotStore), required=True)
    outcome = fields.Dict(required=True, metadata={"description": "How it was widened"})
    created_at = outgoing.moment()
    ended_at = outgoing.moment(null=True)


class PilotSpan(Schema):
    first = fields.Date(required=True)
    last = fields.Date(required=True)


class PilotChange(Schema):
    before = fields.Float(required=True)
    during = fields.Float(required=True)


class PilotLimits(Schema):
    low = fields.Float(required=True)
    high = fields.Float(required=True)


class PilotTrial(Schema):
    """`effect`: the change in pilot stores less that in the others. `limits` need two stores in each group."""

    pilot = fields.Nested(PilotChange, required=True)
    control = fields.Nested(PilotChange, required=True)
    effect = fields.Float(required=True)
    limits = optional(fields.Nested(PilotLimits, required=True))
    pilot_stores = outgoing.whole()
    control_stores = outgoing.whole()


class StoreFigures(Schema):
    members = outgoing.whole()
    repeaters = outgoing.whole()
    purchases = outgoing.whole()
    spend = outgoing.money()


class StoreRow(PilotStore):
    before = fields.Nested(StoreFigures, required=True)
    during = fields.Nested(StoreFigures, required=True)


class PilotReport(Schema):
    interim = fields.Boolean(required=True)
    before = optional(fields.Nested(PilotSpan, required=True))
    during = optional(fields.Nested(PilotSpan, required=True))
    trials = fields.Dict(
        keys=fields.String(validate=[validate.OneOf(METRICS)]),
        values=optional(fields.Nested(PilotTrial)),
        required=True,
    )
    stores = fields.List(fields.Nested(StoreRow), required=True)


class PilotInFull(Pilot):
    report = fields.Nested(PilotReport, required=True)


PilotPage = outgoing.pages_of(Pilot)
