"""How a member wants to be told things: language, zone, quiet hours, how often, and about what not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.cards import programmes, texts
from app.cards import service as cards
from app.cards.models import Card, Member, Preference
from app.errors import Sentence, Unprocessable
from app.i18n import LANGUAGES
from app.outbox.service import Lane

MOST_PER_WEEK = 7
MOST_TOPICS = 20
LONGEST_TOPIC = 40
FIELDS = ("language", "timezone", "quiet_from", "quiet_to", "per_week", "unwanted_topics")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", flags=re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a member has chosen. None: as the programme does it; `per_week` 0: no marketing at all."""

    language: str
    timezone: str | None = None
    quiet_from: str | None = None
    quiet_to: str | None = None
    per_week: int | None = None
    unwanted_topics: tuple[str, ...] = ()


def of(session: Session, member: Member) -> Wishes:
    """What a member has chosen."""
    row = session.get(Preference, member.id)
    if row is None:
        return Wishes(language=member.language, timezone=member.timezone)
    return Wishes(
        language=member.language,
        timezone=member.timezone,
        quiet_from=row.quiet_from,
        quiet_to=row.quiet_to,
        per_week=row.per_week,
        unwanted_topics=tuple(row.unwanted_topics),
    )


def change(session: Session, card: Card, changes: Mapping[str, Any], *, now: datetime) -> Wishes:
    """Change some of the wishes of a card's member, by the names of `Wishes`; messages that wait heed them too.

    Raises: Unprocessable `invalid_preferences` with a sentence for each faulty field.
    """
    before = of(session, card.member)
    wanted = {name: changes.get(name, getattr(before, name)) for name in FIELDS}
    errors = _problems(wanted)
    if errors:
        raise Unprocessable("invalid_preferences", " ".join(errors.values()), errors=errors)
    topics = sorted({" ".join(topic.split()) for topic in wanted["unwanted_topics"] or ()})
    after = Wishes(**{**wanted, "unwanted_topics": tuple(topics)})
    if after != before:
        _write(session, card, before, after, now=now)
    return after


def _write(session: Session, card: Card, before: Wishes, after: Wishes, *, now: datetime) -> None:
    member = card.member
    member.language, member.timezone = after.language, after.timezone
    row = session.get(Preference, member.id) or Preference(member_id=member.id, changed_at=now)
    row.quiet_from, row.quiet_to, row.per_week = after.quiet_from, after.quiet_to, after.per_week
    row.unwanted_topics, row.changed_at = list(after.unwanted_topics), now
    session.add(row)
    session.flush()
    if after.language != before.language:
        cards.touch(session, card, lane=Lane.NORMAL, now=now)


def _problems(wanted: Mapping[str, Any]) -> dict[str, str]:
    errors: dict[str, str] = {}
    if wanted["language"] not in LANGUAGES:
        errors["language"] = Sentence("The language is one of %(known)s.", known=", ".join(LANGUAGES))
    zone = wanted["timezone"]
    if zone is not None and not programmes.is_zone(zone):
        errors["timezone"] = "This is no time zone; choose one of the list, such as Europe/Istanbul."
    hours = [wanted["quiet_from"], wanted["quiet_to"]]
    for name, clock in zip(("quiet_from", "quiet_to"), hours, strict=True):
        if clock is not None and not (isinstance(clock, str) and _CLOCK.fullmatch(clock)):
            errors[name] = "Write the time as hours and minutes, such as 17:00."
    if hours.count(None) == 1:
        errors["quiet_to" if hours[1] is None else "quiet_from"] = "Quiet hours have a beginning and an end."
    most = wanted["per_week"]
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or not 0 <= most <= MOST_PER_WEEK):
        errors["per_week"] = Sentence("Choose from 0 to %(most)s messages a week.", most=MOST_PER_WEEK)
    errors.update(_topics(wanted["unwanted_topics"] or ()))
    return errors


def _topics(topics: Any) -> dict[str, str]:
    errors: dict[str, str] = {}
    right = len(topics) <= MOST_TOPICS and all(
        isinstance(one, str) and 1 <= len(one.strip()) <= LONGEST_TOPIC and texts.is_showable(one) for one in topics
    )
    if not right:
        errors["unwanted_topics"] = Sentence(
            "Name at most %(most)s topics, each of 1 to %(longest)s characters.",
            most=MOST_TOPICS, longest=LONGEST_TOPIC,
        )  # fmt: skip
    return errors
