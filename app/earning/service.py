"""Publishing rules: each change is a new version with a start; what was published is never changed."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import money
from app.cards.models import Programme, Store, Tier
from app.earning import reading, rules, versions
from app.earning.models import RuleVersion
from app.earning.rules import RuleSet, When
from app.errors import Conflict, Sentence, Unprocessable

NOTE_MAX = 200
_PROMISED = select(Programme.id, Programme.currency, Programme.earn_points, Programme.earn_per_minor)


def publish(
    session: Session,
    programme: Programme,
    raw_rules: object,
    *,
    starts_at: datetime | None,
    note: str,
    by: str,
    now: datetime,
    based_on: int | None = None,
) -> RuleVersion:
    """Write a new version of a programme's rules, which holds from *starts_at* on (None: from now on).

    Versions that would have begun later than it never will: the highest number that has begun holds. Sales that were
    booked keep the version they were booked by.

    Args:
        by: who, as the audit log names them.
        based_on: the number of the version that the author has seen last; None to publish over any.

    Raises: Unprocessable `invalid_rules` with a sentence for each fault, also for a start in the past; Conflict
    `rules_changed`, if somebody published in the meantime.
    """
    starts_at = starts_at or now
    ruleset = checked(session, programme, raw_rules, starts_at=starts_at, note=note, now=now)
    # tills that book at this moment refer to the row: what is changed here is not its key
    row = session.get_one(Programme, programme.id, with_for_update={"key_share": True}, populate_existing=True)
    if based_on is not None and based_on != row.rules_number:
        raise Conflict(
            "rules_changed", "Somebody published other rules in the meantime. Compare with them, then publish again."
        )
    row.rules_number += 1
    version = RuleVersion(
        programme_id=row.id,
        number=row.rules_number,
        starts_at=starts_at,
        rules=json.dumps(raw_rules, ensure_ascii=False, separators=(",", ":")),
        note=note.strip(),
        created_by=by,
        created_at=now,
    )
    session.add(version)
    session.flush()
    if starts_at <= now:
        _promise(row, ruleset)
    return version


def checked(
    session: Session,
    programme: Programme,
    raw_rules: object,
    *,
    starts_at: datetime | None = None,
    note: str = "",
    now: datetime,
) -> RuleSet:
    """What would be published, as values; nothing is written.

    Raises: Unprocessable `invalid_rules` with a sentence for each fault.
    """
    found = reading.read(raw_rules, programme.currency)
    errors = {**_problems(starts_at or now, note, now), **_strangers(session, programme, found)}
    if errors:
        raise Unprocessable("invalid_rules", " ".join(errors.values()), errors=errors)
    return found


def published(session: Session, programme: Programme) -> list[RuleVersion]:
    """All versions of a programme's rules, the newest first."""
    query = select(RuleVersion).where(RuleVersion.programme_id == programme.id)
    return list(session.scalars(query.order_by(RuleVersion.number.desc())))


def holding(session: Session, programme: Programme, *, now: datetime) -> RuleVersion:
    """The version that holds now."""
    return session.get_one(RuleVersion, versions.at(session, programme.id, programme.currency, now).id)


def ruleset_of(raw_rules: object, currency: str) -> RuleSet:
    """Rules that were not published yet, as values.

    Raises: Unprocessable `invalid_rules`.
    """
    return reading.read(raw_rules, currency)


def superseded(found: list[RuleVersion], *, starts_at: datetime, now: datetime) -> list[RuleVersion]:
    """Which of the versions that have not begun never would, if another began at *starts_at*."""
    return [one for one in found if one.starts_at > now and one.starts_at >= starts_at]


def raw(version: RuleVersion) -> dict[str, Any]:
    """A version's rules as they were sent."""
    found: dict[str, Any] = json.loads(version.rules)
    return found


def ruleset(version: RuleVersion, currency: str) -> RuleSet:
    """A version's rules as values."""
    return versions.read(version.rules, currency)


def store_names(session: Session, programme: Programme) -> dict[str, str]:
    """The names of a programme's stores by their ids, as rules name them."""
    rows = session.execute(select(Store.public_id, Store.name).where(Store.programme_id == programme.id))
    return {row.public_id: row.name for row in rows}


def broken_promises(session: Session, *, now: datetime) -> list[int]:
    """Programmes that promise new members something else than their present rules give: a version has begun since."""
    found = []
    for row in session.execute(_PROMISED):
        promised = _of(versions.at(session, row.id, row.currency, now).rules)
        if promised is not None and promised != (row.earn_points, row.earn_per_minor):
            found.append(row.id)
    return found


def keep_promise(session: Session, programme_id: int, *, now: datetime) -> None:
    """Let a programme promise what its present rules give; doing it twice, or late, comes to the same."""
    row = session.get_one(Programme, programme_id, with_for_update={"key_share": True}, populate_existing=True)
    _promise(row, versions.at(session, row.id, row.currency, now).rules)


def _promise(programme: Programme, ruleset: RuleSet) -> None:
    promised = _of(ruleset)
    if promised is not None:
        programme.earn_points, programme.earn_per_minor = promised


def _of(ruleset: RuleSet) -> tuple[int, int] | None:
    """What everybody gets at all times for every product: the first such rule."""
    for rule in ruleset.rules:
        if isinstance(rule, rules.Amount) and rule.only.is_all and rule.when == When():
            return rule.points, rule.per_minor
    return None


def _strangers(session: Session, programme: Programme, ruleset: RuleSet) -> dict[str, str]:
    """Stores and tiers that this programme does not have."""
    errors: dict[str, str] = {}
    stores = set(session.scalars(select(Store.public_id).where(Store.programme_id == programme.id)))
    tiers = session.execute(select(Tier.id, Tier.name).where(Tier.programme_id == programme.id)).all()
    names = {f"tier_{row.id}" for row in tiers} | {row.name for row in tiers}
    for number, rule in enumerate(ruleset.rules):
        for what, wanted, there in (("stores", rule.when.stores, stores), ("tiers", rule.when.tiers, names)):
            if unknown := sorted(wanted - there):
                errors[f"rules.{number}.when.{what}"] = Sentence(
                    "This programme has no %(name)s; take it out of the rule.", name=unknown[0][:60]
                )
    return errors


def _problems(starts_at: datetime, note: str, now: datetime) -> Mapping[str, str]:
    errors: dict[str, str] = {}
    if starts_at < now:
        errors["starts_at"] = "Rules begin now or later: sales that were booked keep the rules of their time."
    if len(note.strip()) > NOTE_MAX or not note.strip().isprintable():
        errors["note"] = Sentence("A note has at most %(most)s characters, in one line.", most=NOTE_MAX)
    return errors


def example(currency: str) -> dict[str, Any]:
    """A real set of rules, for descriptions and tests."""
    return {
        "rules": [
            {"kind": "amount", "name": "Purchases", "points": 1, "per": money.decimal_text(1000, currency)},
            {
                "kind": "multiplier",
                "name": "Tuesday",
                "factor": "2",
                "when": {"windows": [{"weekdays": [2], "from": "17:00", "to": "19:00", "last_on": "2030-12-31"}]},
            },
            {"kind": "exclusion", "name": "Tobacco", "only": {"categories": ["tobacco"]}},
            {"kind": "cap", "name": "Daily limit", "points": 500, "per": "day"},
        ],
        "stacking": "best",
        "minimum": money.decimal_text(5000, currency),
    }
