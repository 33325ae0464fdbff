"""What is stored of cards on the ladder: read in one statement for a card, in three for many, written where it changed.

Every statement is built once: a sale runs two of them.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Executable, Text, bindparam, cast, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.cards.models import Programme, Tier
from app.db import insert_into, table_of
from app.ledger.held import HeldTier
from app.tiers.ladder import Ladder, Month, Record, base
from app.tiers.models import CardStanding, MetricMonth, TierPolicy
from app.tiers.rules import Drop, Grant, Metric, Policy, Standing, Window

PROGRAMME, TIER = table_of(Programme), table_of(Tier)
POLICY, MONTH, STANDING = table_of(TierPolicy), table_of(MetricMonth), table_of(CardStanding)

_TIERS = select(
    TIER.c.id, TIER.c.name, TIER.c.threshold_minor, TIER.c.multiplier_num, TIER.c.multiplier_den
).where(TIER.c.programme_id == bindparam("programme_id")).order_by(TIER.c.threshold_minor)  # fmt: skip
_POLICY = (
    POLICY.c.metric, POLICY.c.window_kind, POLICY.c.months, POLICY.c.validity_months, POLICY.c.grace_days,
    POLICY.c.drop_kind, POLICY.c.strict,
)  # fmt: skip
_WITH_POLICY = PROGRAMME.outerjoin(POLICY, POLICY.c.programme_id == PROGRAMME.c.id)
_ITS = PROGRAMME.c.id == bindparam("programme_id")
_RULES = select(PROGRAMME.c.timezone, *_POLICY).select_from(_WITH_POLICY).where(_ITS)
_POLICIES = (
    select(PROGRAMME.c.id, *_POLICY)
    .select_from(_WITH_POLICY)
    .where(PROGRAMME.c.id.in_(bindparam("ids", expanding=True)))
)
_STOOD = (
    STANDING.c.tier_id, STANDING.c.valid_to, STANDING.c.grace_to, STANDING.c.granted_tier_id, STANDING.c.granted_to,
    STANDING.c.due_on,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row of `card_standing` that was read as text."""

    tier_id: int | None
    valid_to: date | None
    grace_to: date | None
    granted_tier_id: int | None
    granted_to: date | None
    due_on: date | None = None


_MONTHS_OF = select(MONTH).where(MONTH.c.card_id.in_(bindparam("ids", expanding=True)))
_STANDINGS_OF = select(STANDING.c.card_id, *_STOOD).where(STANDING.c.card_id.in_(bindparam("ids", expanding=True)))


def policy_from(row: Any) -> Policy:
    """A policy from a row of its columns, which are NULL where nobody has changed the default."""
    if row.metric is None:
        return Policy()
    return Policy(
        metric=Metric(row.metric),
        window=Window(row.window_kind),
        months=row.months,
        validity_months=row.validity_months,
        grace_days=row.grace_days,
        drop=Drop(row.drop_kind),
        strict=bool(row.strict),
    )


def ladder_of(session: Session, programme_id: int) -> Ladder:
    """A programme's ladder."""
    tiers = [HeldTier(**row._mapping) for row in session.execute(_TIERS, {"programme_id": programme_id})]
    row = session.execute(_RULES, {"programme_id": programme_id}).one()
    return Ladder(zone=row.timezone, policy=policy_from(row), tiers=tuple(tiers))


def policies_of(session: Session, programme_ids: Collection[int]) -> dict[int, Policy]:
    """The policies of programmes, by programme id."""
    rows = session.execute(_POLICIES, {"ids": list(programme_ids)})
    return {row.id: policy_from(row) for row in rows}


def of_card(session: Session, card_id: int, programme_id: int) -> tuple[Ladder, Record]:
    """A card's record and its programme's ladder, in one statement."""
    row = session.execute(_OF_CARD, {"card_id": card_id, "programme_id": programme_id}).one()
    tiers = sorted(json.loads(row.tiers or "[]"), key=lambda tier: int(tier[2]))
    ladder = Ladder(
        zone=row.timezone,
        policy=policy_from(row),
        tiers=tuple(
            HeldTier(id=one, name=name, threshold_minor=threshold, multiplier_num=num, multiplier_den=den)
            for one, name, threshold, num, den in tiers
        ),
    )
    return ladder, record(ladder, row if row.stored else None, _months_from(row.month_rows))


def from_texts(ladder: Ladder, months: str | None, standing: str | None) -> Record:
    """A record from what `texts_of` has read."""
    stored = json.loads(standing) if standing else []
    row = None
    if stored:
        tier_id, valid_to, grace_to, granted_tier_id, granted_to = stored[0]
        row = _Row(
            tier_id=tier_id, valid_to=_day(valid_to), grace_to=_day(grace_to),
            granted_tier_id=granted_tier_id, granted_to=_day(granted_to),
        )  # fmt: skip
    return record(ladder, row, _months_from(months))


def of_cards(session: Session, ladder: Ladder, card_ids: Collection[int]) -> dict[int, Record]:
    """The records of many cards, by card id."""
    ids = {"ids": list(card_ids)}
    stood = {row.card_id: row for row in session.execute(_STANDINGS_OF, ids)}
    months: dict[int, list[Month]] = {one: [] for one in card_ids}
    for row in session.execute(_MONTHS_OF, ids):
        months[row.card_id].append((row.month, row.spend_minor, row.earned, row.visits))
    return {one: record(ladder, stood.get(one), months[one]) for one in card_ids}


def record(ladder: Ladder, row: Any, months: Sequence[Any]) -> Record:
    """A record from a row of `card_standing`, if there is one, and the card's months."""
    if row is None:
        return Record(months=tuple(months), standing=base(ladder))
    grant = None
    if row.granted_to is not None:
        grant = Grant(place=ladder.place(row.granted_tier_id), to=row.granted_to)
    place = ladder.place(row.tier_id)
    standing = Standing(place=place, valid_to=row.valid_to, grace_to=row.grace_to) if place >= 0 else Standing()
    return Record(months=tuple(months), standing=standing, grant=grant, due_on=row.due_on)


def count(session: Session, card_id: int, month: date, figures: tuple[int, int, int]) -> None:
    """Add spend (minor units), points and visits to a card's month."""
    spend_minor, earned, visits = figures
    values = {"card_id": card_id, "month": month, "spend_minor": spend_minor, "earned": earned, "visits": visits}
    session.execute(_count(session.get_bind().dialect.name), values)


def write(session: Session, ladder: Ladder, programme_id: int, records: Sequence[tuple[int, Record]]) -> None:
    """Store where cards stand; what was given by hand is only ever taken away here."""
    rows = []
    for card_id, one in records:
        tier, granted = ladder.tier(one.standing.place), ladder.tier(one.grant.place) if one.grant else None
        rows.append({
            "card_id": card_id, "programme_id": programme_id, "tier_id": tier.id if tier else None,
            "valid_to": one.standing.valid_to, "grace_to": one.standing.grace_to, "due_on": one.due_on,
            "granted_tier_id": granted.id if granted else None,
            "granted_to": one.grant.to if one.grant and granted else None,
        })  # fmt: skip
    if rows:
        session.execute(_write(session.get_bind().dialect.name), rows if len(rows) > 1 else rows[0])


class _Listed(FunctionElement[Any]):
    """Values as a JSON list."""

    name = "listed"
    inherit_cache = True


class _Gathered(FunctionElement[Any]):
    """A value of each row, as a JSON list."""

    name = "gathered"
    inherit_cache = True


NAMES = {
    ("listed", "postgresql"): "json_build_array",
    ("listed", "sqlite"): "json_array",
    ("gathered", "postgresql"): "json_agg",
    ("gathered", "sqlite"): "json_group_array",
}


@compiles(_Listed)
@compiles(_Gathered)
def _written(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
    """The same function by the name that it has in this database."""
    return f"{NAMES[element.name, compiler.dialect.name]}({compiler.process(element.clauses, **options)})"


def _rows(columns: list[ColumnElement[Any]], of: ColumnElement[bool]) -> ColumnElement[str]:
    """Rows as one value, a JSON list of lists, so that one statement reads all that decides."""
    return cast(select(_Gathered(_Listed(*columns))).where(of).scalar_subquery(), Text)


def texts_of(card_id: ColumnElement[int]) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Columns for a statement that reads a card: its months and its standing, for `from_texts`."""
    return (
        _rows([MONTH.c.month, MONTH.c.spend_minor, MONTH.c.earned, MONTH.c.visits], MONTH.c.card_id == card_id),
        _rows(list(_STOOD[:-1]), STANDING.c.card_id == card_id),
    )


def _months_from(text: str | None) -> list[Month]:
    return [
        (date.fromisoformat(month), spend_minor, earned, visits)
        for month, spend_minor, earned, visits in json.loads(text or "[]")
    ]


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


_CARD_ID: BindParameter[int] = bindparam("card_id", type_=BigInteger)
_OF_CARD = (
    select(
        PROGRAMME.c.timezone, *_POLICY, STANDING.c.card_id.label("stored"), *_STOOD,
        texts_of(_CARD_ID)[0].label("month_rows"),
        _rows(
            [TIER.c.id, TIER.c.name, TIER.c.threshold_minor, TIER.c.multiplier_num, TIER.c.multiplier_den],
            TIER.c.programme_id == PROGRAMME.c.id,
        ).label("tiers"),
    )
    .select_from(_WITH_POLICY.outerjoin(STANDING, STANDING.c.card_id == _CARD_ID))
    .where(_ITS)
)  # fmt: skip


@cache
def _count(dialect: str) -> Executable:
    insert = insert_into(dialect, MetricMonth)
    given = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=["card_id", "month"],
        set_={name: MONTH.c[name] + given[name] for name in ("spend_minor", "earned", "visits")},
    ).inline()


@cache
def _write(dialect: str) -> Executable:
    insert = insert_into(dialect, CardStanding)
    changing = ("tier_id", "valid_to", "grace_to", "due_on", "granted_tier_id", "granted_to")
    return insert.on_conflict_do_update(
        index_elements=["card_id"], set_={name: insert.excluded[name] for name in changing}
    ).inline()
