"""Why a card is in a segment or out of it: a verdict for each rule, with the member's own value beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app import i18n
from app.cards.models import Card
from app.segments import catalogue, references, words
from app.segments.asking import Asking
from app.segments.rules import Group, Leaf, Not, Rule, leaves
from app.segments.words import Speaking


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a rule holds for a card, in words; `own` is what the member has, `parts` are the rules below."""

    holds: bool
    sentence: str
    own: str = ""
    parts: tuple["Verdict", ...] = ()


def verdict(rule: Rule, card: Card, asking: Asking, language: str) -> Verdict:
    """A card against a rule. A card that no audience has is out, whatever its member does."""
    choices = references.choices(asking.session, asking.programme_id, most=None)
    speaking = Speaking(language=language, currency=asking.currency, timezone=asking.timezone, choices=choices)
    answers = _answers(rule, card, asking)
    found = _verdict(rule, answers, speaking)
    if card.status == "active" and card.kind == "loyalty":
        return found
    own = i18n.text(language, "no")
    usable = Verdict(holds=False, sentence=i18n.text(language, "A valid card of a person"), own=own)
    return Verdict(holds=False, sentence=i18n.text(language, "All of these"), parts=(usable, found))


_Answers = Mapping[int, tuple[bool, Any]]


def _answers(rule: Rule, card: Card, asking: Asking) -> _Answers:
    """Each question's verdict and the card's own value, by the question's place; all in one statement."""
    asked = list(leaves(rule))
    columns: list[Any] = []
    places: list[tuple[int, int | None]] = []
    for leaf in asked:
        own = catalogue.own(leaf, asking)
        columns.append(catalogue.condition(leaf, asking).label(f"holds_{len(columns)}"))
        places.append((len(columns) - 1, None if own is None else len(columns)))
        columns += [] if own is None else [own.label(f"own_{len(columns)}")]
    if not columns:
        return {}
    row = asking.session.execute(select(*columns).select_from(Card).where(Card.id == card.id)).one()
    return {
        id(leaf): (bool(row[holds]), None if own is None else row[own])
        for leaf, (holds, own) in zip(asked, places, strict=True)
    }


def _verdict(rule: Rule, answers: _Answers, speaking: Speaking) -> Verdict:
    if isinstance(rule, Leaf):
        holds, found = answers[id(rule)]
        has_own = rule.fact in catalogue.FACTS and catalogue.FACTS[rule.fact].own is not None
        said = words.own(rule, found, speaking) if has_own else _yes_or_no(rule, holds, speaking.language)
        return Verdict(holds=holds, sentence=words.of_leaf(rule, speaking), own=said)
    if isinstance(rule, Not):
        inside = _verdict(rule.part, answers, speaking)
        return Verdict(holds=not inside.holds, sentence=words.of_group(rule, speaking.language), parts=(inside,))
    return _of_group(rule, answers, speaking)


def _of_group(rule: Group, answers: _Answers, speaking: Speaking) -> Verdict:
    parts = tuple(_verdict(part, answers, speaking) for part in rule.parts)
    if not parts:
        return Verdict(holds=True, sentence=words.sentence(rule, speaking))
    holds = [part.holds for part in parts]
    return Verdict(
        holds=all(holds) if rule.how == "all" else any(holds),
        sentence=words.of_group(rule, speaking.language),
        parts=parts,
    )


def _yes_or_no(leaf: Leaf, holds: bool, language: str) -> str:
    """What is so: a question asked with "no" that holds means that it is not."""
    is_so = holds if leaf.op == "yes" else not holds
    return i18n.text(language, "yes") if is_so else i18n.text(language, "no")
