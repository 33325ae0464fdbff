"""Queries and answers of calls about reports."""

from marshmallow import Schema, fields

from app.api import outgoing
from app.api.fields import Text, optional
from app.api.incoming import SPOKEN, Strict, told
from app.api.outgoing import moment, one_of, whole

DAY = "2026-11-20"


class CatalogueQuery(Strict):
    language = Text(longest=5, validate=[SPOKEN], load_default="en", metadata=told("Of titles and definitions"))


class ReportQuery(CatalogueQuery):
    programme = Text(
        longest=80, load_default=None, metadata=told("Id or slug; needed for a key that sees several programmes")
    )
    first = Text(
        data_key="from", longest=10, load_default=None, metadata=told("First day; 30 days unless given", example=DAY)
    )
    last = Text(data_key="to", longest=10, load_default=None, metadata=told("Last day, included; today unless given"))
    store = Text(longest=64, load_default=None, metadata=told("Id of a store; all stores unless given"))


class Definition(Schema):
    metric = outgoing.text()
    title = outgoing.text()
    formula = outgoing.text()
    unit = one_of("number", "money", "share", "days", "decimal")


class ReportKind(Schema):
    name = outgoing.text()
    title = outgoing.text()
    about = outgoing.text()
    by_store = fields.Boolean(required=True)
    definitions = fields.List(fields.Nested(Definition), required=True)


class Reports(Schema):
    items = fields.List(fields.Nested(ReportKind), required=True)


class ReportDays(Schema):
    first = fields.Date(data_key="from", required=True)
    last = fields.Date(data_key="to", required=True)
    days = whole()


def _value(text: str) -> fields.Field[object]:
    return fields.Raw(required=True, allow_none=True, metadata={"description": text})


class ReportFigure(Schema):
    metric = outgoing.text()
    value = _value("Whole number, decimal string, or null where there is nothing to divide by")
    before = _value("The same for as many days just before")


class ReportColumn(Schema):
    key = outgoing.text()
    label = outgoing.text()
    kind = one_of("day", "month", "text", "unit", "number", "share", "decimal")


class Report(Schema):
    name = outgoing.text()
    title = outgoing.text()
    programme = outgoing.text()
    period = fields.Nested(ReportDays, required=True)
    store = outgoing.text(null=True)
    timezone = outgoing.text()
    currency = outgoing.text()
    built_at = moment(null=True)
    incomplete_on = optional(fields.Date(required=True))
    figures = fields.List(fields.Nested(ReportFigure), required=True)
    columns = fields.List(fields.Nested(ReportColumn), required=True)
    rows = fields.List(fields.List(_value("As the column says; money and shares as decimal strings")), required=True)
    notes = fields.List(fields.String(), required=True)
    definitions = fields.List(fields.Nested(Definition), required=True)
