"""A card under its lock: everything that decides about its units, read in one statement.

On PostgreSQL the row is locked by a statement of its own before anything is read: a SELECT that locks and joins at once
may wait for another till and then join what it saw before that till had finished. On SQLite a writing transaction is
the lock.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, bindparam, cast, func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme, Tier
from app.db import table_of
from app.earning.models import RuleVersion
from app.errors import NotFound
from app.ledger.models import Account

POINTS = "points"
CARD, PROGRAMME, TIER, ACCOUNT = table_of(Card), table_of(Programme), table_of(Tier), table_of(Account)
RULES = table_of(RuleVersion)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldTier:
    """The tier of a held card; points are multiplied by num/den."""

    id: int
    name: str
    threshold_minor: int
    multiplier_num: int
    multiplier_den: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldAccount:
    """An account of a held card's member. `role`: avail, hold, pend or debt; `carry`: see `models.Account`."""

    id: int
    unit: str
    role: str
    balance: int
    carry: str = "0"
    closed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldRules:
    """The last version of the programme's rules, which may begin in the future; `text` is its JSON."""

    id: int
    number: int
    starts_at: datetime
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A card that nobody else can change until the transaction ends.

    `spent_minor`: all that was ever spent with it, net of returns; `timezone` and `limits`: the programme's.
    `next_threshold_minor`: the spend at which the next tier begins, None in the highest. `accounts` are the member's,
    by unit and role; one that was never booked on is not there. `points_accounts` are the ids of the programme's
    accounts of points, by role. `seq` and `hash` are those of the card's last entry.
    """

    id: int
    programme_id: int
    member_id: int
    kind: str
    number: str
    serial: str
    status: str
    version: int
    modified_at: datetime
    qualifying_minor: int
    spent_minor: int
    currency: str
    timezone: str
    limits: Mapping[str, Any]
    rules: HeldRules
    tier: HeldTier | None
    next_threshold_minor: int | None
    seq: int
    hash: str
    accounts: Mapping[tuple[str, str], HeldAccount] = field(repr=False)
    points_accounts: Mapping[str, int] = field(repr=False)

    @property
    def balance(self) -> int:
        """Points that can be spent."""
        return self.in_unit(POINTS)

    @property
    def deficit(self) -> int:
        """Points owed."""
        return self.owed(POINTS)

    def in_unit(self, unit: str, role: str = "avail") -> int:
        """What stands on one of the member's accounts."""
        account = self.accounts.get((unit, role))
        return account.balance if account else 0

    def owed(self, unit: str) -> int:
        """Units taken back that the member had already spent: zero or more."""
        return -self.in_unit(unit, "debt")


def by_id(session: Session, card_id: int) -> Held:
    """Lock and read a card.

    Raises: NotFound `unknown_card`.
    """
    return _held(session, "id", card_id)


def by_number(session: Session, number: str, *, locked: bool = True) -> Held:
    """Lock and read the card with that number, written as `cards.codes.normalise` does.

    What is read without a lock may be asked about, and is not to be booked on.

    Raises: NotFound `unknown_card`.
    """
    return _held(session, "number", number, locked=locked)


def by_serial(session: Session, serial: str) -> Held:
    """Lock and read the card with that serial.

    Raises: NotFound `unknown_card`.
    """
    return _held(session, "serial", serial)


def tiers(session: Session, programme_id: int) -> list[HeldTier]:
    """All tiers of a programme."""
    return [HeldTier(**row._mapping) for row in session.execute(_TIERS, {"programme_id": programme_id})]


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """How a card is asked for: the statement that locks it, and the one that reads it."""

    lock: Select[Any]
    read: Select[Any]


def _rows_as_text(dialect: str, columns: list[ColumnElement[Any]], *of: ColumnElement[bool]) -> ColumnElement[str]:
    """Rows of accounts as one value: a JSON list of lists, so that one statement reads a card with all its accounts."""
    if dialect == "postgresql":
        rows = func.json_agg(func.json_build_array(*columns))
    else:
        rows = func.json_group_array(func.json_array(*columns))
    return cast(select(rows).where(*of).scalar_subquery(), Text)


@cache
def _asking(dialect: str, by: str) -> _Asking:
    wanted = CARD.c[by] == bindparam("wanted")
    higher, account = TIER.alias("higher"), ACCOUNT.c
    next_threshold = (
        select(func.min(higher.c.threshold_minor))
        .where(
            higher.c.programme_id == CARD.c.programme_id,
            higher.c.threshold_minor > func.coalesce(TIER.c.threshold_minor, -1),
        )
        .scalar_subquery()
    )
    member_s = _rows_as_text(
        dialect,
        [account.id, account.unit, account.role, account.balance, account.carry, account.closed],
        account.member_id == CARD.c.member_id,
    )
    programme_s = _rows_as_text(
        dialect,
        [account.role, account.id],
        account.programme_id == CARD.c.programme_id,
        account.member_id.is_(None),
        account.unit == POINTS,
    )
    read = (
        select(
            CARD.c.id, CARD.c.programme_id, CARD.c.member_id, CARD.c.kind, CARD.c.number, CARD.c.serial, CARD.c.status,
            CARD.c.version, CARD.c.modified_at, CARD.c.qualifying_minor, CARD.c.spent_minor, CARD.c.seq, CARD.c.hash,
            PROGRAMME.c.currency, PROGRAMME.c.timezone, PROGRAMME.c.limits, RULES.c.id.label("rules_id"),
            RULES.c.number.label("rules_number"), RULES.c.starts_at, RULES.c.rules,
            next_threshold.label("next_threshold_minor"), TIER.c.id.label("tier_id"), TIER.c.name,
            TIER.c.threshold_minor, TIER.c.multiplier_num, TIER.c.multiplier_den, member_s.label("accounts"),
            programme_s.label("points_accounts"),
        )
        .select_from(CARD)
        .join(PROGRAMME, PROGRAMME.c.id == CARD.c.programme_id)
        .join(RULES, (RULES.c.programme_id == PROGRAMME.c.id) & (RULES.c.number == PROGRAMME.c.rules_number))
        .outerjoin(TIER, TIER.c.id == CARD.c.tier_id)
        .where(wanted)
    )  # fmt: skip
    # others may still refer to the row (a new registration's foreign key): what is decided here is not its key
    lock = select(CARD.c.id).where(wanted).with_for_update(key_share=True)
    return _Asking(lock=lock, read=read)


_TIERS = select(
    TIER.c.id, TIER.c.name, TIER.c.threshold_minor, TIER.c.multiplier_num, TIER.c.multiplier_den
).where(TIER.c.programme_id == bindparam("programme_id"))  # fmt: skip


def _held(session: Session, by: str, wanted: object, *, locked: bool = True) -> Held:
    dialect = session.get_bind().dialect.name
    asking = _asking(dialect, by)
    if locked and dialect == "postgresql":
        session.execute(asking.lock, {"wanted": wanted})
    row = session.execute(asking.read, {"wanted": wanted}).one_or_none()
    if row is None:
        raise NotFound("unknown_card", "There is no such card.")
    return Held(
        id=row.id,
        programme_id=row.programme_id,
        member_id=row.member_id,
        kind=row.kind,
        number=row.number,
        serial=row.serial,
        status=row.status,
        version=row.version,
        modified_at=row.modified_at,
        qualifying_minor=row.qualifying_minor,
        spent_minor=row.spent_minor,
        currency=row.currency,
        timezone=row.timezone,
        limits=row.limits,
        rules=HeldRules(id=row.rules_id, number=row.rules_number, starts_at=row.starts_at, text=row.rules),
        tier=_tier(row),
        next_threshold_minor=row.next_threshold_minor,
        seq=row.seq,
        hash=row.hash,
        accounts=_accounts(row.accounts),
        points_accounts=dict(json.loads(row.points_accounts or "[]")),
    )


def _tier(row: Any) -> HeldTier | None:
    if row.tier_id is None:
        return None
    return HeldTier(
        id=row.tier_id,
        name=row.name,
        threshold_minor=row.threshold_minor,
        multiplier_num=row.multiplier_num,
        multiplier_den=row.multiplier_den,
    )


def _accounts(rows: str | None) -> dict[tuple[str, str], HeldAccount]:
    found = [
        HeldAccount(id=one, unit=unit, role=role, balance=balance, carry=carry, closed=bool(closed))
        for one, unit, role, balance, carry, closed in json.loads(rows or "[]")
    ]
    return {(account.unit, account.role): account for account in found}
