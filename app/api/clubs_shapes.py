"""Bodies and answers of calls about clubs."""

from marshmallow import Schema, fields

from app.api.fields import Text, Whole, optional
from app.api.incoming import SPOKEN, Strict, told
from app.api.outgoing import moment, one_of, pages_of, text, whole
from app.clubs.gates import LONGEST_ADDRESS, LONGEST_TITLE
from app.clubs.service import LONGEST_BENEFITS, LONGEST_NAME, LONGEST_REFERENCE, LONGEST_TERM_MONTHS


class ClubTexts(Strict):
    name = Text(longest=LONGEST_NAME)
    benefits = Text(longest=LONGEST_BENEFITS, lines=True)


class NewClub(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    slug = Text(shortest=1, longest=40, required=True, metadata=told("Rules ask for club:<slug>", example="wine"))
    name = Text(shortest=1, longest=LONGEST_NAME, required=True)
    benefits = Text(longest=LONGEST_BENEFITS, lines=True, load_default="")
    term_months = Whole(least=1, most=LONGEST_TERM_MONTHS, load_default=12)
    texts = fields.Dict(keys=Text(longest=5, validate=[SPOKEN]), values=fields.Nested(ClubTexts), load_default=dict)


class NewMembership(Strict):
    club = Text(shortest=1, longest=80, required=True, metadata=told("Id of the club"))
    since = optional(fields.Date(load_default=None, metadata=told("Today unless given; not used by a renewal")))
    until = optional(fields.Date(load_default=None, metadata=told("The last day; the club's term unless given")))
    reference = Text(longest=LONGEST_REFERENCE, load_default="", metadata=told("Of the fee, which is paid outside"))


class Leaving(Strict):
    club = Text(shortest=1, longest=80, required=True, metadata=told("Id of the club"))
    reason = Text(shortest=1, longest=LONGEST_REFERENCE, required=True)


class LinkTexts(Strict):
    title = Text(longest=LONGEST_TITLE)


class NewGatedLink(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    slug = Text(shortest=1, longest=40, required=True)
    title = Text(shortest=1, longest=LONGEST_TITLE, required=True)
    target_url = Text(shortest=1, longest=LONGEST_ADDRESS, required=True, metadata=told("Begins with https://"))
    club = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Id of the club that it is for")))
    tier = optional(Text(shortest=1, longest=80, load_default=None, metadata=told("Or id of the tier")))
    texts = fields.Dict(keys=Text(longest=5, validate=[SPOKEN]), values=fields.Nested(LinkTexts), load_default=dict)


class Club(Schema):
    id = text()
    programme = text()
    slug = text()
    name = text()
    benefits = text()
    term_months = whole()
    texts = fields.Dict(
        keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.String()), required=True
    )
    state = one_of("live", "ended")
    created_at = moment()


class Membership(Schema):
    club = text()
    card = text()
    starts_at = moment()
    ends_at = moment()
    last_day = fields.Date(required=True)
    is_running = fields.Boolean(required=True)


class MembershipList(Schema):
    items = fields.List(fields.Nested(Membership), required=True)


class GatedLink(Schema):
    id = text()
    programme = text()
    slug = text()
    title = text()
    target_url = text()
    club = text(null=True)
    tier = text(null=True)
    active = fields.Boolean(required=True)
    created_at = moment()


ClubPage = pages_of(Club)
GatedLinkPage = pages_of(GatedLink)
