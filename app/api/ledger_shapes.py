"""Queries and answers of calls about a card's movements."""

from marshmallow import Schema, fields

from app.api import outgoing
from app.api.fields import Text
from app.api.incoming import SPOKEN, Page, told


class PageOfLedger(Page):
    unit = Text(longest=80, load_default=None, metadata=told("Movements of this unit alone", example="points"))
    language = Text(longest=5, validate=[SPOKEN], load_default="en", metadata=told("Of the sentences"))


class LedgerLine(Schema):
    line = outgoing.whole()
    product = outgoing.text()
    category = outgoing.text()
    quantity = outgoing.whole()
    amount = outgoing.money(null=True)
    units = outgoing.whole()


class DatedUnits(Schema):
    units = outgoing.whole()
    earned_at = outgoing.moment()
    expires_at = outgoing.moment(null=True)


class LedgerMovement(Schema):
    id = outgoing.text()
    kind = outgoing.text()
    title = outgoing.text(description="The kind in words")
    unit = outgoing.text(description="points, stamp:…, voucher:…, bonus:TRY, or a currency, then in minor units")
    units = outgoing.whole()
    available = outgoing.whole()
    held = outgoing.whole()
    pending = outgoing.whole()
    owed = outgoing.whole()
    amount = outgoing.money(null=True)
    currency = outgoing.text(null=True)
    receipt = outgoing.text(null=True)
    reverses = outgoing.text(null=True)
    part_of = outgoing.text(null=True)
    taken_back = outgoing.whole()
    rules = outgoing.whole(null=True)
    reasons = fields.List(fields.String(), required=True)
    explained = fields.List(fields.String(), required=True, metadata={"description": "The reasons as sentences"})
    lines = fields.List(fields.Nested(LedgerLine), required=True)
    opened = fields.List(fields.Nested(DatedUnits), required=True)
    used = fields.List(fields.Nested(DatedUnits), required=True)
    usable_from = outgoing.moment(null=True)
    channel = outgoing.text()
    occurred_at = outgoing.moment()
    recorded_at = outgoing.moment()


LedgerPage = outgoing.pages_of(LedgerMovement)
