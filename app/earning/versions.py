"""Which rules hold when: a programme's versions, each read once."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, case, select
from sqlalchemy.orm import Session

from app import money
from app.cards import programmes
from app.cards.models import Programme
from app.cards.programmes import ProgrammeDraft
from app.db import table_of
from app.earning import reading
from app.earning.models import RuleVersion
from app.earning.rules import RuleSet

VERSIONS_KEPT = 256
_RULES = table_of(RuleVersion)
# the highest of those that have begun; a sale from before the first one is judged by the first
_BEGUN = case((_RULES.c.starts_at <= bindparam("at", type_=_RULES.c.starts_at.type), 1), else_=0)
_AT = (
    select(_RULES.c.id, _RULES.c.number, _RULES.c.starts_at, _RULES.c.rules)
    .where(_RULES.c.programme_id == bindparam("programme_id"))
    .order_by(_BEGUN.desc(), case((_BEGUN == 1, -_RULES.c.number), else_=_RULES.c.number))
    .limit(1)
)


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a programme's rules, read."""

    id: int
    number: int
    starts_at: datetime
    rules: RuleSet


@lru_cache(maxsize=VERSIONS_KEPT)
def read(text: str, currency: str) -> RuleSet:
    """The rules of a version's JSON text, as values; the same text is read once."""
    return reading.read(json.loads(text), currency)


def at(session: Session, programme_id: int, currency: str, when: datetime) -> Version:
    """The version that holds in a programme at an instant."""
    row = session.execute(_AT, {"programme_id": programme_id, "at": when}).one()
    return Version(id=row.id, number=row.number, starts_at=row.starts_at, rules=read(row.rules, currency))


def by_id(session: Session, version_id: int, currency: str) -> Version:
    """The version by which a sale was booked."""
    row = session.get_one(RuleVersion, version_id)
    return Version(id=row.id, number=row.number, starts_at=row.starts_at, rules=read(row.rules, currency))


def create_programme(session: Session, draft: ProgrammeDraft, *, now: datetime) -> Programme:
    """Make a programme with its tiers and the first version of its rules: so many points for so much money.

    Raises: as `cards.programmes.create_programme`.
    """
    programme = programmes.create_programme(session, draft, now=now)
    rules = base_rules(programme)
    session.add(
        RuleVersion(
            programme_id=programme.id, number=1, starts_at=now, rules=json.dumps(rules), note="", created_by="",
            created_at=now,
        )
    )  # fmt: skip
    session.flush()
    return programme


def base_rules(programme: Programme) -> dict[str, Any]:
    """The simplest rules there are: what a new programme promises."""
    per = money.decimal_text(programme.earn_per_minor, programme.currency)
    return {"rules": [{"kind": "amount", "name": "Purchases", "points": programme.earn_points, "per": per}]}
