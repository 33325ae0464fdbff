"""What the pages of segments show, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from app import i18n
from app.cards import people
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.cards.people import Person
from app.earning.words import number as whole
from app.errors import AppError, Sentence, Unprocessable
from app.i18n import page_language
from app.marketing.segments import forms
from app.marketing.segments.forms import Builder
from app.segments import references, service, words
from app.segments.models import Segment
from app.segments.rules import Rule
from app.segments.service import Counted
from app.segments.shapes import HEADINGS, OPS, SHAPES, Shape
from app.segments.words import Speaking


@dataclass(frozen=True, kw_only=True)
class Example:
    """A member of the sample: what may be shown of their name, and their card's number."""

    short: str
    number: str


@dataclass(frozen=True, kw_only=True)
class Side:
    """What stands beside the builder: how many fit, who for example, and the rules as a sentence."""

    count: str
    hint: str
    sentence: str
    sample: Sequence[Example]
    is_valid: bool = True


def speaking(reading: Session, programme: Programme) -> Speaking:
    """The page's language, with the names of what the programme has."""
    choices = references.choices(reading, programme.id, most=None)
    return Speaking(language=page_language(), currency=programme.currency, timezone=programme.timezone, choices=choices)


def side(reading: Session, programme: Programme, builder: Builder, *, now: datetime) -> tuple[Side, Builder]:
    """Count what the builder says; where it says nothing yet that can be counted, what is to be mended."""
    try:
        rule = service.read(reading, programme, forms.raw(builder))
    except Unprocessable as refusal:
        told = {path: i18n.translate(text) for path, text in refusal.errors.items()}
        nothing = Side(
            count="–", hint=gettext("Complete the rules to count them."), sentence="", sample=(), is_valid=False
        )
        return nothing, builder.wrong(told)
    return of_rule(reading, programme, rule, now=now), builder


def of_rule(reading: Session, programme: Programme, rule: Rule, *, now: datetime) -> Side:
    """How many fit, and some of them."""
    found = service.count(reading, programme.id, rule, now=now)
    some = service.sample(reading, programme.id, rule, now=now) if found.cards else []
    return Side(
        count=whole(found.cards, page_language()),
        hint=hint(found),
        sentence=words.sentence(rule, speaking(reading, programme)),
        sample=[Example(short=short_name(reading, card), number=card.number) for card in some],
    )


def hint(found: Counted) -> str:
    """Why nobody fits; the questions that contradict each other by their names."""
    if isinstance(found.hint, Sentence) and "facts" in found.hint.values:
        named = words.label(str(found.hint.values["facts"]), page_language())
        return i18n.translate(Sentence(found.hint.msgid, facts=named))
    return i18n.translate(found.hint)


def short_name(reading: Session, card: Card) -> str:
    """First name and the last one's initial."""
    return people.short_name(people.of(reading, card.member).name) or gettext("No name")


def card_of(reading: Session, programme: Programme, text: str) -> Card | None:
    """The card of a number, or of a member's e-mail address or phone number."""
    wanted = " ".join(text.split())
    if not wanted or len(wanted) > 200 or not wanted.isprintable():
        return None
    found = cards.by_number(reading, wanted, programme_id=programme.id)
    if found is not None:
        return found
    try:
        person = people.checked("x", email=wanted) if "@" in wanted else people.checked("x", phone=wanted)
    except AppError:
        return None
    return cards.by_contact(reading, programme, Person(name="", email=person.email, phone=person.phone))


def facts(spoken: Speaking) -> list[tuple[str, list[tuple[str, str]]]]:
    """Questions to choose from, under their headings."""
    return [
        (
            words.heading(heading, spoken.language),
            [(name, words.label(name, spoken.language)) for name, shape in SHAPES.items() if shape.heading == heading],
        )
        for heading in HEADINGS
    ]


def ops(shape: Shape, language: str) -> list[tuple[str, str]]:
    """How a question can be compared."""
    return [(op, words.comparison(op, shape.kind, language)) for op in OPS[shape.kind]]


def values(shape: Shape, spoken: Speaking) -> list[tuple[str, str]]:
    """What can be chosen; empty where it is typed."""
    if shape.source:
        return [(value, words.chosen(value, shape.source, spoken)) for value in spoken.choices.get(shape.source, {})]
    return [(value, words.chosen(value, "", spoken)) for value in shape.values or ()]


def groups(language: str) -> list[tuple[str, str]]:
    """How the parts of a group belong together."""
    return [
        ("all", i18n.text(language, "All of these")),
        ("any", i18n.text(language, "At least one of these")),
        ("none", i18n.text(language, "None of these")),
        ("not_all", i18n.text(language, "Not all of these")),
    ]


def rows(reading: Session, programme: Programme, found: Sequence[Segment]) -> list[Mapping[str, Any]]:
    """The list of segments, each with its sentence and its last count."""
    spoken = speaking(reading, programme)
    return [
        {
            "id": one.public_id,
            "name": one.name,
            "sentence": words.sentence(service.rule_of(reading, one), spoken),
            "count": "–" if one.counted is None else whole(one.counted, spoken.language),
            "counted_at": one.counted_at,
            "archived": one.state == "archived",
        }
        for one in found
    ]
