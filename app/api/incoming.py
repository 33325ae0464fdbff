"""What bodies and queries may hold."""

import re

from marshmallow import RAISE, Schema, fields, validate

from app.api.fields import (
    Amount,
    Attributes,
    Degrees,
    Moment,
    Text,
    TextsByLanguage,
    Whole,
    YesNo,
    optional,
)
from app.api.paging import LIMIT, LIMIT_MAX, LONGEST_CURSOR
from app.i18n import LANGUAGES
from app.ledger.booking import LARGEST_POINTS
from app.offers.service import LONGEST_BODY, LONGEST_TITLE

COLOR = validate.Regexp(re.compile(r"^#[0-9A-Fa-f]{6}$"), error="Write the colour as #rrggbb, for example #1f3a5f.")
CURRENCY = validate.Regexp(re.compile(r"^[A-Z]{3}$"), error="Write an ISO 4217 code, for example TRY, IDR or EUR.")
MULTIPLIER = validate.Regexp(re.compile(r"^[0-9]{1,2}(\.[0-9]{1,2})?$"), error='Write a decimal such as "1.5".')
SLUG = validate.Regexp(
    re.compile(r"^[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?$"),
    error="A slug has 1 to 60 small letters, digits and dashes, for example kahve-duragi.",
)
SPOKEN = validate.OneOf(LANGUAGES, error=f"The language is one of {', '.join(LANGUAGES)}.")


def told(text: str, *, example: str = "") -> dict[str, str]:
    """What the description of the API says of a field."""
    return {"description": text, "example": example} if example else {"description": text}


class Strict(Schema):
    """Unknown fields are refused by name."""

    error_messages = {  # noqa: RUF012  # marshmallow declares it for instances
        "unknown": "There is no such field here; check its spelling.",
        "type": "Send a JSON object with named fields.",
    }

    class Meta:
        unknown = RAISE


class Earning(Strict):
    points = Whole(least=0, most=100_000, load_default=1)
    per = optional(Amount(load_default=None))


class NewTier(Strict):
    name = Text(shortest=1, longest=40, required=True)
    threshold = Amount(required=True, metadata=told("Spend in the programme's currency from which the tier is reached"))
    multiplier = Text(longest=5, validate=[MULTIPLIER], load_default="1", metadata=told("Of points, such as 1.5"))
    background_color = optional(Text(longest=7, validate=[COLOR], load_default=None))
    texts = TextsByLanguage(longest=40, load_default=dict)


class NewDesign(Strict):
    background_color = Text(longest=7, validate=[COLOR])
    foreground_color = Text(longest=7, validate=[COLOR])
    label_color = Text(longest=7, validate=[COLOR])
    points_label = TextsByLanguage(longest=40)
    about = TextsByLanguage(longest=2000)
    terms = TextsByLanguage(longest=2000)
    benefit = TextsByLanguage(longest=2000)
    website = Text(longest=200)
    contact = Text(longest=200)


class NewProgramme(Strict):
    slug = Text(shortest=1, longest=60, validate=[SLUG], required=True)
    name = Text(shortest=1, longest=100, required=True)
    currency = Text(longest=3, validate=[CURRENCY], required=True)
    timezone = Text(shortest=1, longest=64, required=True, metadata=told("IANA name, such as Europe/Istanbul"))
    language = Text(shortest=2, longest=35, required=True)
    pass_type_identifier = Text(shortest=6, longest=155, required=True)
    team_identifier = Text(shortest=10, longest=10, required=True)
    organization_name = Text(shortest=1, longest=100, required=True)
    description = optional(Text(longest=200, load_default=""))
    earn = fields.Nested(Earning, load_default=None, allow_none=True)
    tiers = fields.List(
        fields.Nested(NewTier),
        load_default=list,
        validate=[validate.Length(max=20, error="A programme has at most 20 tiers.")],
    )
    design = fields.Nested(NewDesign, load_default=dict)


class NewStore(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    name = Text(shortest=1, longest=100, required=True)
    timezone = optional(Text(longest=64, load_default=None))
    latitude = optional(Degrees(most=90, load_default=None))
    longitude = optional(Degrees(most=180, load_default=None))
    region = Text(longest=60, load_default="", metadata=told("Segments and trials may ask for it", example="Marmara"))


class NewMember(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    name = Text(shortest=1, longest=200, required=True)
    email = optional(Text(longest=254, load_default=None))
    phone = optional(Text(longest=40, load_default=None, metadata=told("With its country code")))
    birthday = optional(Text(longest=10, load_default=None, metadata=told("MM-DD; of YYYY-MM-DD the year is dropped")))
    language = optional(Text(longest=5, validate=[SPOKEN], load_default=None))
    marketing_consent = YesNo(load_default=False)
    attributes = Attributes(load_default=dict)
    store = optional(Text(longest=80, load_default=None, metadata=told("Id of the store where they join")))


class MemberChange(Strict):
    language = Text(longest=5, validate=[SPOKEN])
    marketing_consent = YesNo()
    attributes = Attributes(metadata=told("Replaces all attributes"))


class NewReversal(Strict):
    reason = Text(shortest=1, longest=500, required=True)


class OfferTexts(Strict):
    title = Text(longest=LONGEST_TITLE)
    body = Text(longest=LONGEST_BODY, lines=True)


class NewOffer(Strict):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))
    title = Text(shortest=1, longest=LONGEST_TITLE, required=True)
    body = Text(longest=LONGEST_BODY, lines=True, load_default="")
    texts = fields.Dict(
        keys=Text(longest=5, validate=[SPOKEN]),
        values=fields.Nested(OfferTexts),
        load_default=dict,
        metadata=told('Title and body in other languages: {"tr": {"title": "…", "body": "…"}}'),
    )
    starts_at = Moment(required=True)
    ends_at = Moment(required=True)
    timezone = optional(Text(longest=64, load_default=None, metadata=told("The programme's unless given")))
    segment = Text(
        shortest=1, longest=80, load_default="all", metadata=told('"all", or the id or name of one of the tiers')
    )
    limit_per_card = optional(Whole(least=1, most=LARGEST_POINTS, load_default=None))
    limit_total = optional(Whole(least=1, most=LARGEST_POINTS, load_default=None))
    announce = YesNo(load_default=True, metadata=told("Whether its title is shown on the lock screen at its start"))


class Page(Strict):
    cursor = Text(longest=LONGEST_CURSOR, load_default=None, metadata=told("`next` of the page before"))
    limit = fields.Integer(
        load_default=LIMIT,
        validate=[validate.Range(min=1, max=LIMIT_MAX, error=f"A page has 1 to {LIMIT_MAX} items.")],
        error_messages={"invalid": f"A page has 1 to {LIMIT_MAX} items.", "too_large": "That is too many items."},
    )


class PageOfProgramme(Page):
    programme = Text(longest=80, load_default=None, metadata=told("Id or slug; all that the key sees unless given"))


class PageOfCard(Page):
    card = Text(shortest=1, longest=64, required=True, metadata=told("The card's number"))


class Nothing(Strict):
    """A query or body without fields."""
