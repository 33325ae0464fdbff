"""What is sent and answered about campaigns."""

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from app.api import outgoing
from app.api.fields import Text, Whole, optional
from app.api.incoming import SPOKEN, Page, PageOfProgramme, Strict, told
from app.campaigns.drafting import GOALS, LONGEST_GOAL_DAYS, LONGEST_TOPIC
from app.campaigns.models import REASONS, STATES
from app.campaigns.recurring import LONGEST_INTERVAL, MOST_TIMES, PERIODS
from app.campaigns.texts import LONGEST_BODY, LONGEST_TITLE
from app.campaigns.triggers import CATALOGUE

HOURS = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", flags=re.ASCII)
CLOCK = validate.Regexp(HOURS, error="Write the time as hours and minutes, such as 17:00.")
DAY = validate.Regexp(re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", flags=re.ASCII), error="Write a day as 2026-12-31.")
SHARE = validate.Regexp(
    re.compile(r"^(0(\.[0-4][0-9]{0,3}|\.50{0,3})?)$", flags=re.ASCII),
    error='Write the share that is held back as a decimal from "0" to "0.5", in quotes.',
)
MODE = validate.OneOf(("member", "store", "fixed"), error="The clock is one of member, store, fixed.")
PURPOSE = validate.OneOf(("marketing", "information"), error="The purpose is marketing or information.")
EVERY = validate.OneOf(PERIODS, error=f"It comes every {', '.join(PERIODS)}.")
METRIC = validate.OneOf(GOALS, error=f"The goal is one of {', '.join(GOALS)}.")
ON = validate.OneOf([one.on for one in CATALOGUE], error="There is no such trigger.")
SEND_AT = told(
    'RFC 3339 with an offset, or a wall-clock time such as "2026-12-24T10:00", which each zone reads by itself, or '
    '"now". Of a recurrence the first time.',
    example="2026-12-24T10:00",
)


class Words(Strict):
    title = Text(longest=LONGEST_TITLE)
    body = Text(longest=LONGEST_BODY, lines=True)


class Message(Strict):
    title = Text(shortest=1, longest=LONGEST_TITLE, required=True)
    body = Text(longest=LONGEST_BODY, lines=True, load_default="")
    texts = fields.Dict(
        keys=Text(longest=5, validate=[SPOKEN]), values=fields.Nested(Words), load_default=dict,
        metadata=told('Title and body in other languages: {"tr": {"title": "…", "body": "…"}}'),
    )  # fmt: skip


class QuietHours(fields.Field[Any]):
    """{"from": "22:00", "to": "08:00"}, or false for none, or null for the programme's."""

    ADVICE = 'Write quiet hours as {"from": "21:00", "to": "09:00"}, or false for none.'

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, str]:  # noqa: ARG002
        if value is False:
            return ("", "")
        if not isinstance(value, dict) or set(value) != {"from", "to"}:
            raise ValidationError(self.ADVICE)
        if not all(isinstance(one, str) and HOURS.fullmatch(one) for one in value.values()):
            raise ValidationError(self.ADVICE)
        return (value["from"], value["to"])


class Recurrence(Strict):
    every = Text(longest=5, validate=[EVERY], required=True)
    interval = Whole(least=1, most=LONGEST_INTERVAL)
    weekdays = fields.List(Whole(least=1, most=7), validate=[validate.Length(max=7)], metadata=told("1 is Monday"))
    day = Whole(least=1, most=31, metadata=told("Of the month; 31 is its last day"))
    until = Text(longest=10, validate=[DAY], metadata=told("The last day, included"))
    count = Whole(least=1, most=MOST_TIMES, metadata=told("How often in all"))
    at = Text(longest=5, validate=[CLOCK], metadata=told("The local time of day; instead of send_at"))
    first_on = Text(longest=10, validate=[DAY], metadata=told("The first day, with at; today unless given"))


class CampaignGoal(Strict):
    metric = Text(longest=20, validate=[METRIC], required=True)
    days = Whole(least=1, most=LONGEST_GOAL_DAYS, required=True)


class CampaignChange(Strict):
    name = Text(shortest=1, longest=100)
    segment = Text(shortest=1, longest=80, metadata=told('"all", the id of a segment, or the id or name of a tier'))
    stores = fields.List(Text(shortest=1, longest=80), metadata=told("Ids; members of these stores only"))
    offer = optional(Text(shortest=1, longest=80, metadata=told("Id of the offer that it is about")))
    message = optional(fields.Nested(Message, metadata=told("Its words; with an offer, that offer's unless given")))
    send_at = optional(Text(shortest=1, longest=40, metadata=SEND_AT))
    timezone = optional(Text(longest=64, metadata=told("The programme's unless given, or if it is unknown")))
    timezone_mode = Text(longest=6, validate=[MODE], metadata=told("Whose clock send_at is meant by"))
    recurrence = optional(fields.Nested(Recurrence))
    trigger = optional(
        fields.Dict(
            keys=Text(longest=40),
            metadata=told('What it follows, as {"on": "birthday", …}; on is one of '
                          + ", ".join(one.on for one in CATALOGUE)),
        )
    )  # fmt: skip
    quiet_hours = optional(
        QuietHours(
            metadata=told('{"from": "22:00", "to": "08:00"}, false for none, null for the programme\'s own')
            | {"oneOf": [{"type": "object"}, {"type": "boolean", "enum": [False]}]}
        )
    )
    purpose = Text(longest=11, validate=[PURPOSE])
    topic = Text(longest=LONGEST_TOPIC, metadata=told("Members can say which topics they do not want"))
    priority = Whole(least=0, most=100, metadata=told("Of two on one day the higher one is told"))
    holdout = optional(
        Text(
            longest=6,
            validate=[SHARE],
            metadata=told("Share that is held back to compare with, 0 to 0.5", example="0.1"),
        )
    )
    goal = optional(
        fields.Nested(CampaignGoal, metadata=told("The one figure by which it is judged, and for how many days"))
    )


class NewCampaign(CampaignChange):
    programme = Text(shortest=1, longest=80, required=True, metadata=told("Id or slug"))


class Launch(Strict):
    now = Text(
        longest=5, load_default="false", validate=[validate.OneOf(("true", "false"), error="Write true or false.")],
        metadata=told("true: send it now, whatever time it has"),
    )  # fmt: skip


class Stop(Strict):
    reason = Text(longest=200, load_default="", metadata=told("Why, for the audit log"))


class CardToTest(Strict):
    card = Text(shortest=1, longest=40, required=True, metadata=told("Number of a card of somebody who works here"))


class RecipientsAsked(Page):
    state = Text(longest=10, validate=[validate.OneOf(("planned", "sent", "suppressed"), error="Unknown state.")])
    reason = Text(longest=20, validate=[validate.OneOf(REASONS, error=f"A reason is one of {', '.join(REASONS)}.")])


class CampaignsAsked(PageOfProgramme):
    state = Text(longest=10, validate=[validate.OneOf(STATES, error=f"A state is one of {', '.join(STATES)}.")])


class Counts(Schema):
    planned = outgoing.whole()
    sent = outgoing.whole()
    waiting = outgoing.whole()
    suppressed = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class Campaign(Schema):
    id = outgoing.text()
    programme = outgoing.text()
    name = outgoing.text()
    kind = outgoing.one_of("once", "recurring", "triggered")
    state = outgoing.one_of(*STATES)
    segment = outgoing.text()
    stores = fields.List(fields.String(), required=True)
    offer = outgoing.text(null=True)
    message = fields.Dict(required=True, allow_none=True)
    send_at = outgoing.text(null=True, description="The wall-clock time that is meant, or now")
    timezone = outgoing.text()
    timezone_mode = outgoing.one_of("member", "store", "fixed")
    recurrence = fields.Dict(required=True, allow_none=True)
    trigger = fields.Dict(required=True, allow_none=True)
    quiet_hours = fields.Raw(required=True, allow_none=True)
    purpose = outgoing.one_of("marketing", "information")
    topic = outgoing.text()
    priority = outgoing.whole()
    holdout = outgoing.text(null=True)
    goal = fields.Dict(required=True, allow_none=True)
    revision = outgoing.whole()
    created_at = outgoing.moment()
    approved_at = outgoing.moment(null=True)
    launched_at = outgoing.moment(null=True)
    ended_at = outgoing.moment(null=True)
    next_at = outgoing.moment(null=True)


class CampaignInFull(Campaign):
    counts = fields.Nested(Counts, required=True)
    warnings = fields.List(fields.String(), required=True)


class Wave(Schema):
    local = outgoing.text()
    first_at = outgoing.moment()
    people = outgoing.whole()


class Forecast(Schema):
    audience = outgoing.whole()
    eligible = outgoing.whole()
    told = outgoing.whole()
    held_back = outgoing.whole()
    held_back_of_all = outgoing.whole()
    holdout = outgoing.text()
    reasons = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    moved = outgoing.whole()
    waves = fields.List(fields.Nested(Wave), required=True)
    zones = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    is_exact = fields.Boolean(required=True)
    apple_phones = outgoing.whole()
    google_cards = outgoing.whole()
    apple_seconds = outgoing.whole()
    google_seconds = outgoing.whole()
    most_cost = outgoing.money(null=True)
    currency = outgoing.text()


class Recipient(Schema):
    card = outgoing.text()
    occurrence = outgoing.text()
    state = outgoing.one_of("planned", "sent", "suppressed")
    arm = outgoing.one_of("treated", "holdout", "")
    reason = outgoing.text(null=True)
    note = outgoing.text(null=True)
    due_at = outgoing.moment()
    at = outgoing.moment(null=True)


CampaignPage = outgoing.pages_of(Campaign)
RecipientPage = outgoing.pages_of(Recipient)
