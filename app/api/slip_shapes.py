"""Slips over the API: how one is asked for, and what is answered."""

from marshmallow import Schema, validate

from app.api.fields import Text
from app.api.incoming import SPOKEN, Strict, told
from app.api.outgoing import one_of, text

FORMATS = ("text", "escpos")
KNOWN = validate.OneOf(FORMATS, error="The format is text or escpos.")


class SlipWanted(Strict):
    format = Text(longest=10, validate=[KNOWN], load_default="text")
    language = Text(longest=5, validate=[SPOKEN], load_default=None, metadata=told("The member's own unless given"))


class Slip(Schema):
    format = one_of(*FORMATS)
    content = text(description="Lines of at most 42 columns; Base64 of the printer's bytes for escpos")
