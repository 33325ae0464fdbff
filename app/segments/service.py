"""Saved rules that select members: made, asked, and said why.

A rule that was read (`rules.read`) becomes one condition on `Card` with its values bound. Whoever is in a segment is
asked live; for segments that cards or rules of earning ask about, `segments.keeping` keeps who is in besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import ids
from app.cards import texts
from app.cards.models import Card, Member, Programme, Tier
from app.db import room_to_count
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.habits.service import store_sql
from app.likelihood import unindexed
from app.segments import catalogue, hints, reasons, references, rules, uses
from app.segments.asking import Asking, joined
from app.segments.models import Segment, SegmentMember
from app.segments.reasons import Verdict
from app.segments.rules import Rule

LONGEST_NAME = 80
EVERYBODY = "all"
SAMPLE = 10


@dataclass(frozen=True, kw_only=True)
class SegmentDraft:
    """A segment as it is asked for; `rules` is JSON."""

    programme: Programme
    name: str
    rules: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Who is meant: everybody, or the members of a segment, or those of a tier."""

    segment: Segment | None = None
    tier: Tier | None = None


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How many cards fit; `hint` says why there are none, if it can be told."""

    cards: int
    hint: str = ""


def create(session: Session, draft: SegmentDraft, *, by: str, now: datetime) -> Segment:
    """Save a rule under a name.

    Raises: Unprocessable `invalid_rules` or `invalid_segment`; Conflict `name_taken`.
    """
    read(session, draft.programme, draft.rules)
    made = Segment(
        public_id=ids.public_id("seg"), programme_id=draft.programme.id, name=_named(draft.name),
        rules=dict(draft.rules), created_by=by, created_at=now, changed_at=now,
    )  # fmt: skip
    _written(session, made)
    return made


def change(
    session: Session,
    segment: Segment,
    *,
    name: str | None = None,
    rules: Mapping[str, Any] | None = None,
    now: datetime,
) -> Segment:
    """Give a segment another name or other rules; where its members are kept, they are brought up to date.

    Raises: Unprocessable `invalid_rules` or `invalid_segment`; Conflict `name_taken` or `segment_archived`.
    """
    session.refresh(segment, with_for_update=True)
    if segment.state == "archived":
        raise Conflict("segment_archived", "This segment is archived; make a new one.")
    if rules is not None and rules != segment.rules:
        read(session, session.get_one(Programme, segment.programme_id), rules)
        segment.rules, segment.revision = dict(rules), segment.revision + 1
        segment.kept_at = segment.counted = segment.counted_at = None
    if name is not None:
        segment.name = _named(name)
    segment.changed_at = now
    _written(session, segment)
    return segment


def archive(session: Session, segment: Segment, *, now: datetime) -> None:
    """Let nobody choose a segment any more; again: nothing happens.

    Raises: Conflict `segment_in_use`, saying by what.
    """
    session.refresh(segment, with_for_update=True)
    if segment.state == "archived":
        return
    found = uses.of(session, segment)
    if found:
        named = ", ".join(found)
        raise Conflict("segment_in_use", Sentence("This segment is in use by: %(named)s. End that first.", named=named))
    segment.state, segment.kept, segment.changed_at = "archived", False, now
    session.flush()


def by_id(session: Session, public_id: str) -> Segment:
    """A segment by its public id.

    Raises: NotFound `unknown_segment`.
    """
    found = session.scalars(select(Segment).where(Segment.public_id == public_id)).one_or_none()
    if found is None:
        raise unknown()
    return found


def of_programme(session: Session, programme_id: int, *, archived: bool = False) -> list[Segment]:
    """A programme's segments by name; those that are archived too, if asked for."""
    query = select(Segment).where(Segment.programme_id == programme_id)
    if not archived:
        query = query.where(Segment.state == "live")
    return list(session.scalars(query.order_by(Segment.name, Segment.id)))


def named(session: Session, programme: Programme, text: str) -> Audience:
    """Who is meant by "all", a segment's id, or a tier's id or name.

    Raises: Unprocessable `unknown_segment`.
    """
    if text == EVERYBODY:
        return Audience()
    wanted = select(Segment).where(
        Segment.public_id == text, Segment.programme_id == programme.id, Segment.state == "live"
    )
    segment = session.scalars(wanted).one_or_none()
    if segment is not None:
        return Audience(segment=segment)
    for tier in programme.tiers:
        if text in {f"tier_{tier.id}", tier.name}:
            return Audience(tier=tier)
    told = 'There is no such segment; "all" is everybody.'
    raise Unprocessable("unknown_segment", told, errors={"segment": told})


def audience(
    session: Session,
    programme_id: int,
    *,
    segment: Segment | None = None,
    tier_id: int | None = None,
    stores: Sequence[int] = (),
    now: datetime,
) -> list[ColumnElement[bool]]:
    """The conditions on `Card` by which it belongs to an audience: active loyalty cards of the programme.

    *stores*: row ids; members whose store (used most, else of joining) is among them.
    """
    found = everybody(programme_id)
    if tier_id is not None:
        found.append(Card.tier_id == tier_id)
    if stores:
        found.append(func.coalesce(store_sql(), 0).in_(stores))
    if segment is not None:
        found.append(_condition(session, programme_id, rule_of(session, segment), now))
    return found


def everybody(programme_id: int) -> list[ColumnElement[bool]]:
    """The conditions on `Card` that every audience of a programme has."""
    # in the order of their rows: by an index of the programme, a million cards took 1.8 s of processor instead of 0.2
    return [unindexed(Card.programme_id) == programme_id, Card.status == "active", Card.kind == "loyalty"]


def read(session: Session, programme: Programme, raw: Any) -> Rule:
    """Rules from their JSON, with the stores, tiers, offers… that they name looked up.

    Raises: Unprocessable `invalid_rules`, with a sentence for each fault by its path.
    """
    found = rules.read(raw, programme.currency)
    references.check(session, programme, found)
    return found


def rule_of(session: Session, segment: Segment) -> Rule:
    """A saved segment's rules."""
    currency = session.execute(select(Programme.currency).where(Programme.id == segment.programme_id)).scalar_one()
    return rules.read(segment.rules, currency)


def count(session: Session, programme_id: int, rule: Rule, *, now: datetime) -> Counted:
    """How many cards fit now. Rules that contradict themselves fit nobody, and are told so without looking."""
    why_none = hints.impossible(rule)
    if why_none is not None:
        return Counted(cards=0, hint=why_none)
    room_to_count(session)
    fits = catalogue.condition(rule, Asking.of(session, programme_id, now, is_joined=True))
    query = joined(select(func.count()).select_from(Card)).where(*everybody(programme_id), fits)
    cards = session.execute(query).scalar_one()
    return Counted(cards=cards, hint="" if cards else Sentence("Nobody fits these rules at the moment."))


def sample(session: Session, programme_id: int, rule: Rule, *, now: datetime, most: int = SAMPLE) -> list[Card]:
    """Some of the cards that fit, the newest first."""
    if hints.impossible(rule) is not None:
        return []
    query = select(Card).where(*everybody(programme_id), _condition(session, programme_id, rule, now))
    return list(session.scalars(query.order_by(Card.id.desc()).limit(most)))


def members(
    session: Session, programme_id: int, rule: Rule, *, after: int = 0, limit: int, now: datetime
) -> list[tuple[int, str, str]]:
    """Cards that fit after a card's row id, in their order: row id, number and the member's public id."""
    if hints.impossible(rule) is not None:
        return []
    query = (
        select(Card.id, Card.number, Member.public_id)
        .join(Member, Member.id == Card.member_id)
        .where(*everybody(programme_id), Card.id > after, _condition(session, programme_id, rule, now))
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query.order_by(Card.id).limit(limit))]


def why(session: Session, rule: Rule, card: Card, *, now: datetime, language: str) -> Verdict:
    """Why a card is in or out: each rule with its verdict and the member's own value, in words."""
    asking = Asking.of(session, card.programme_id, now)
    return reasons.verdict(rule, card, asking, language)


def is_in(session: Session, segment_id: int, card_id: int, *, now: datetime) -> bool:
    """Whether a card is in a segment (by row id) at this moment."""
    segment = session.get(Segment, segment_id)
    if segment is None:
        return False
    wanted = audience(session, segment.programme_id, segment=segment, now=now)
    return session.scalar(select(Card.id).where(Card.id == card_id, *wanted)) is not None


def keep(session: Session, segment: Segment, *, now: datetime) -> None:
    """From now on keep who is in a segment, in `segment_member`; `keeping.follow` brings that up to date soon."""
    if not segment.kept:
        segment.kept, segment.kept_at, segment.changed_at = True, None, now
        session.flush()


def kept_of(session: Session, card_id: int) -> frozenset[str]:
    """The public ids of the kept segments that a card is in, as rules of earning name them."""
    query = select(Segment.public_id).join(SegmentMember, SegmentMember.segment_id == Segment.id)
    return frozenset(session.scalars(query.where(SegmentMember.card_id == card_id, Segment.state == "live")))


def names(session: Session, programme_id: int) -> dict[str, str]:
    """The names of a programme's segments by what rules of earning call them."""
    rows = session.execute(select(Segment.public_id, Segment.name).where(Segment.programme_id == programme_id))
    return {row.public_id: row.name for row in rows}


def unknown() -> NotFound:
    """The refusal of a segment that is not there, or not for this person."""
    return NotFound("unknown_segment", "There is no such segment.")


def _condition(session: Session, programme_id: int, rule: Rule, now: datetime) -> ColumnElement[bool]:
    return catalogue.condition(rule, Asking.of(session, programme_id, now))


def _named(name: str) -> str:
    clean = " ".join(name.split())
    if not 0 < len(clean) <= LONGEST_NAME or not texts.is_showable(clean):
        text = Sentence("A segment has a name of 1 to %(most)s characters.", most=LONGEST_NAME)
        raise Unprocessable("invalid_segment", text, errors={"name": text})
    return clean


def _written(session: Session, segment: Segment) -> None:
    try:
        with session.begin_nested():
            session.add(segment)
            session.flush()
    except IntegrityError as problem:
        text = "Another segment has this name; choose a different one."
        raise Conflict("name_taken", text, errors={"name": text}) from problem
