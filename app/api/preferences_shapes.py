"""What is sent and answered about consents and preferences of members."""

from marshmallow import Schema, fields, validate

from app.api import outgoing
from app.api.fields import Text, Whole, YesNo, optional
from app.api.incoming import SPOKEN, Strict, told
from app.cards.consents import LONGEST_PROOF, LONGEST_VERSION, QUESTIONS
from app.cards.preferences import LONGEST_TOPIC, MOST_PER_WEEK, MOST_TOPICS

MOST_ANSWERS = 20
PURPOSES = sorted({one.purpose for one in QUESTIONS})
CHANNELS = sorted({one.channel for one in QUESTIONS})


class NewAnswer(Strict):
    purpose = Text(longest=20, required=True, metadata=told(f"One of {', '.join(PURPOSES)}", example="marketing"))
    channel = Text(longest=20, required=True, metadata=told(f"One of {', '.join(CHANNELS)}", example="wallet"))
    granted = YesNo(required=True)
    text_version = Text(
        longest=LONGEST_VERSION, load_default="", metadata=told("Of the words that were asked; ours unless given")
    )
    language = optional(Text(longest=5, validate=[SPOKEN], load_default=None))
    proof = Text(
        longest=LONGEST_PROOF,
        load_default="",
        metadata=told("What shows a yes, such as the id of the form; a yes needs it"),
    )


class ConsentsChange(Strict):
    consents = fields.List(
        fields.Nested(NewAnswer),
        required=True,
        validate=[validate.Length(min=1, max=MOST_ANSWERS, error=f"Send 1 to {MOST_ANSWERS} answers at a time.")],
    )


class PreferencesChange(Strict):
    language = Text(longest=5, validate=[SPOKEN])
    timezone = optional(Text(longest=64, metadata=told("IANA name; null: that of the member's store")))
    quiet_from = optional(Text(longest=5, metadata=told("Local time; null: the programme's", example="22:00")))
    quiet_to = optional(Text(longest=5, metadata=told("Local time; null: the programme's", example="09:00")))
    per_week = optional(Whole(least=0, most=MOST_PER_WEEK, metadata=told("Messages of marketing in 7 days, at most")))
    unwanted_topics = fields.List(
        Text(shortest=1, longest=LONGEST_TOPIC),
        validate=[validate.Length(max=MOST_TOPICS, error=f"Name at most {MOST_TOPICS} topics.")],
        metadata=told("Replaces all; topics are those of campaigns"),
    )
    birthday = optional(
        Text(longest=10, metadata=told("MM-DD; of YYYY-MM-DD the year is dropped; null takes it away", example="04-23"))
    )


class Answer(Schema):
    purpose = outgoing.text()
    channel = outgoing.text()
    granted = fields.Boolean(required=True)
    text_version = outgoing.text()
    language = outgoing.text()
    source = outgoing.text(description="Where it was given: join, page, api, import")
    actor = outgoing.text(description="Who wrote it down")
    proof = outgoing.text()
    at = outgoing.moment()


class Consents(Schema):
    member = outgoing.text()
    consents = fields.List(fields.Nested(Answer), required=True, metadata={"description": "The answers that hold"})
    history = fields.List(
        fields.Nested(Answer), required=True, metadata={"description": "Every answer, the newest first, at most 1000"}
    )


class Preferences(Schema):
    member = outgoing.text()
    language = outgoing.text()
    timezone = outgoing.text(null=True)
    quiet_from = outgoing.text(null=True)
    quiet_to = outgoing.text(null=True)
    per_week = outgoing.whole(null=True)
    unwanted_topics = fields.List(fields.String(), required=True)
