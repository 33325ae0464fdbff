"""Bodies and answers of calls about segments."""

from marshmallow import Schema, fields, validate

from app.api.fields import Text
from app.api.incoming import PageOfProgramme, Strict, told
from app.api.outgoing import moment, one_of, pages_of, text, whole
from app.segments.service import LONGEST_NAME

RULES = (
    'A tree: {"all": […]}, {"any": […]}, {"not": …} and questions such as '
    '{"fact": "visits", "op": "at_least", "value": 3, "days": 30}; {"all": []} is everybody'
)


class NewSegment(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    name = Text(shortest=1, longest=LONGEST_NAME, required=True)
    rules = fields.Dict(required=True, metadata=told(RULES))


class SegmentChange(Strict):
    name = Text(shortest=1, longest=LONGEST_NAME)
    rules = fields.Dict(metadata=told(RULES))


class RulesToTry(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    rules = fields.Dict(required=True, metadata=told(RULES))


class SegmentsAsked(PageOfProgramme):
    archived = fields.String(
        load_default="false", validate=[validate.OneOf(("true", "false"), error="Write true or false.")]
    )


class Segment(Schema):
    id = text()
    programme = text()
    name = text()
    rules = fields.Dict(required=True)
    sentence = text(description="The rules in English")
    state = one_of("live", "archived")
    revision = whole()
    created_at = moment()
    changed_at = moment()


class CountedSegment(Segment):
    count = whole()
    hint = text(description="Why nobody is in it, if that can be told")


class TriedSegment(Schema):
    count = whole()
    hint = text(description="Why nobody fits, if that can be told")
    sentence = text(description="The rules in English")
    sample = fields.List(fields.String(), required=True, metadata=told("Ids of at most ten members that fit"))


class SegmentMember(Schema):
    member = text()
    card = text(description="Number of the card")


class SegmentVerdict(Schema):
    holds = fields.Boolean(required=True)
    sentence = text()
    own = text(description="What the member has; empty for a group")
    parts = fields.List(fields.Nested("SegmentVerdict"), required=True)


class SegmentWhy(Schema):
    card = text()
    is_in = fields.Boolean(required=True)
    because = fields.Nested(SegmentVerdict, required=True)


SegmentPage = pages_of(Segment)
SegmentMemberPage = pages_of(SegmentMember)
