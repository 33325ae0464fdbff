"""A card under its lock: everything that decides about its points, read in one statement.

On PostgreSQL the row is locked by a statement of its own before anything is read: a SELECT that locks and joins at once
may wait for another till and then join what it saw before that till had finished. On SQLite a writing transaction is
the lock.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme, Tier
from app.db import table_of
from app.errors import NotFound
from app.ledger.models import Account

POINTS = "points"
CARD, PROGRAMME, TIER = table_of(Card), table_of(Programme), table_of(Tier)
AVAIL, DEBT, ISSUE, REDEEM = (table_of(Account).alias(role) for role in ("avail", "debt", "issue", "redeem"))


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
    """An account of a held card's member; `role`: avail or debt."""

    id: int
    role: str
    balance: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A card that nobody else can change until the transaction ends.

    `next_threshold_minor`: the spend at which the next tier begins, None in the highest. Accounts are None where
    nothing was ever booked; `issue` and `redeem` are the ids of the programme's accounts of points.
    """

    id: int
    programme_id: int
    member_id: int
    number: str
    serial: str
    status: str
    version: int
    modified_at: datetime
    qualifying_minor: int
    currency: str
    earn_points: int
    earn_per_minor: int
    tier: HeldTier | None
    next_threshold_minor: int | None
    avail: HeldAccount | None
    debt: HeldAccount | None
    issue_id: int | None
    redeem_id: int | None

    @property
    def balance(self) -> int:
        """Points that can be spent."""
        return self.avail.balance if self.avail else 0

    @property
    def deficit(self) -> int:
        """Points owed."""
        return -self.debt.balance if self.debt else 0


def by_id(session: Session, card_id: int) -> Held:
    """Lock and read a card.

    Raises: NotFound `unknown_card`.
    """
    return _held(session, _BY_ID, card_id)


def by_number(session: Session, number: str) -> Held:
    """Lock and read the card with that number, written as `cards.codes.normalise` does.

    Raises: NotFound `unknown_card`.
    """
    return _held(session, _BY_NUMBER, number)


def by_serial(session: Session, serial: str) -> Held:
    """Lock and read the card with that serial.

    Raises: NotFound `unknown_card`.
    """
    return _held(session, _BY_SERIAL, serial)


def tiers(session: Session, programme_id: int) -> list[HeldTier]:
    """All tiers of a programme."""
    return [HeldTier(**row._mapping) for row in session.execute(_TIERS, {"programme_id": programme_id})]


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """How a card is asked for: the statement that locks it, and the one that reads it."""

    lock: Select[Any]
    read: Select[Any]


def _member_s(account: Any, role: str) -> ColumnElement[bool]:
    return and_(account.c.member_id == CARD.c.member_id, account.c.role == role, account.c.unit == POINTS)


def _programme_s(account: Any, role: str) -> ColumnElement[bool]:
    ours = and_(account.c.programme_id == CARD.c.programme_id, account.c.member_id.is_(None))
    return and_(ours, account.c.role == role, account.c.unit == POINTS)


def _asking(wanted: ColumnElement[bool]) -> _Asking:
    higher = TIER.alias("higher")
    next_threshold = (
        select(func.min(higher.c.threshold_minor))
        .where(
            higher.c.programme_id == CARD.c.programme_id,
            higher.c.threshold_minor > func.coalesce(TIER.c.threshold_minor, -1),
        )
        .scalar_subquery()
    )
    read = (
        select(
            CARD.c.id, CARD.c.programme_id, CARD.c.member_id, CARD.c.number, CARD.c.serial, CARD.c.status,
            CARD.c.version, CARD.c.modified_at, CARD.c.qualifying_minor, PROGRAMME.c.currency, PROGRAMME.c.earn_points,
            PROGRAMME.c.earn_per_minor, next_threshold.label("next_threshold_minor"), TIER.c.id.label("tier_id"),
            TIER.c.name, TIER.c.threshold_minor, TIER.c.multiplier_num, TIER.c.multiplier_den,
            AVAIL.c.id.label("avail_id"), AVAIL.c.balance.label("avail"), DEBT.c.id.label("debt_id"),
            DEBT.c.balance.label("debt"), ISSUE.c.id.label("issue_id"), REDEEM.c.id.label("redeem_id"),
        )
        .select_from(CARD)
        .join(PROGRAMME, PROGRAMME.c.id == CARD.c.programme_id)
        .outerjoin(TIER, TIER.c.id == CARD.c.tier_id)
        .outerjoin(AVAIL, _member_s(AVAIL, "avail"))
        .outerjoin(DEBT, _member_s(DEBT, "debt"))
        .outerjoin(ISSUE, _programme_s(ISSUE, "issue"))
        .outerjoin(REDEEM, _programme_s(REDEEM, "redeem"))
        .where(wanted)
    )  # fmt: skip
    # others may still refer to the row (a new registration's foreign key): what is decided here is not its key
    lock = select(CARD.c.id).where(wanted).with_for_update(key_share=True)
    return _Asking(lock=lock, read=read)


_BY_ID = _asking(CARD.c.id == bindparam("wanted"))
_BY_NUMBER = _asking(CARD.c.number == bindparam("wanted"))
_BY_SERIAL = _asking(CARD.c.serial == bindparam("wanted"))
_TIERS = select(
    TIER.c.id, TIER.c.name, TIER.c.threshold_minor, TIER.c.multiplier_num, TIER.c.multiplier_den
).where(TIER.c.programme_id == bindparam("programme_id"))  # fmt: skip


def _held(session: Session, asking: _Asking, wanted: object) -> Held:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(asking.lock, {"wanted": wanted})
    row = session.execute(asking.read, {"wanted": wanted}).one_or_none()
    if row is None:
        raise NotFound("unknown_card", "There is no such card.")
    return Held(
        id=row.id,
        programme_id=row.programme_id,
        member_id=row.member_id,
        number=row.number,
        serial=row.serial,
        status=row.status,
        version=row.version,
        modified_at=row.modified_at,
        qualifying_minor=row.qualifying_minor,
        currency=row.currency,
        earn_points=row.earn_points,
        earn_per_minor=row.earn_per_minor,
        tier=_tier(row),
        next_threshold_minor=row.next_threshold_minor,
        avail=_account("avail", row.avail_id, row.avail),
        debt=_account("debt", row.debt_id, row.debt),
        issue_id=row.issue_id,
        redeem_id=row.redeem_id,
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


def _account(role: str, account_id: int | None, balance: int) -> HeldAccount | None:
    return None if account_id is None else HeldAccount(id=account_id, role=role, balance=balance)
