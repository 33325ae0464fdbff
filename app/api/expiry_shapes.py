"""Queries, bodies and answers of calls about when units expire."""

from marshmallow import Schema, fields, validate

from app.api.fields import Text, optional
from app.api.incoming import Strict, told
from app.api.outgoing import text, whole
from app.counter.lasting import FIRST_DAY, LAST_DAY, LONGEST_REASON

_DAY = validate.Range(min=FIRST_DAY, max=LAST_DAY, error="This is a day from 2000 to 2199.")


class UnitWanted(Strict):
    unit = Text(shortest=1, longest=80, load_default="points", metadata=told("Such as points", example="points"))


class Lengthening(Strict):
    until = fields.Date(required=True, validate=[_DAY], metadata=told("The last day on which the units can be spent"))
    ending_by = optional(
        fields.Date(
            load_default=None,
            validate=[_DAY],
            metadata=told("Of lots whose last day is this one or earlier"),
        )
    )
    unit = Text(shortest=1, longest=80, load_default="points", metadata=told("Of these units", example="points"))
    reason = Text(shortest=1, longest=LONGEST_REASON, required=True, metadata=told("For the audit log"))


class LadderStep(Schema):
    units = whole()
    last_on = fields.Date(required=True, metadata={"description": "The last day on which they can be spent"})
    expires_at = fields.DateTime(required=True, metadata={"description": "The first instant at which they are gone"})


class Ladder(Schema):
    unit = text()
    steps = fields.List(fields.Nested(LadderStep), required=True)
    never = whole()


class Lengthened(Schema):
    lots = whole()
    complete = fields.Boolean(required=True, metadata={"description": "Whether none is left; if not, ask again"})
