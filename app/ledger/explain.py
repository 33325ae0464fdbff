"""Why a balance is what it is: a card's movements in their order, each with what it left behind.

Balances are summed from the postings themselves, so that what is shown is what the books say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, literal, select
from sqlalchemy.orm import Session

from app.earning.models import RuleVersion
from app.ledger.held import POINTS
from app.ledger.models import Account, Entry, EntryLine, Lot, LotUse, Pending, Posting
from app.ledger.service import USES

LOTS_SHOWN = 20
ROLES = ("avail", "hold", "pend", "debt")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a member has in one unit. `owed` is zero or more."""

    available: int = 0
    held: int = 0
    pending: int = 0
    owed: int = 0

    @classmethod
    def of(cls, roles: Mapping[str, int]) -> "Standing":
        """From sums by the role of the account."""
        avail, hold, pend, debt = (roles.get(role, 0) for role in ROLES)
        return cls(available=avail, held=hold, pending=pend, owed=-debt)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dated:
    """Units of one lot; `expires_at` is the first instant at which they are gone, None: never."""

    units: int
    earned_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One entry. `unit`: what it is shown among; entries that move nothing stand among the points.

    `change`: of what can be spent; `balance`: after it. `filled`: what of it went into a debt. `opened`: the lots that
    it credited; `used`: those that it took from, below zero where it gave back. `taken_back`: what later entries undid
    of it. `due_at`: when it can be spent, where it waits. `version`: the number of the rules that judged it.
    """

    entry: Entry
    unit: str
    change: int
    filled: int
    balance: Standing
    version: int | None
    lines: tuple[EntryLine, ...]
    opened: tuple[Dated, ...]
    used: tuple[Dated, ...]
    taken_back: int
    is_undone: bool
    due_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Movements, the newest first, and the `before` of the next page."""

    movements: tuple[Movement, ...]
    before: int | None


def page(
    session: Session, card_id: int, *, unit: str | None = None, before: int | None = None, limit: int = 50
) -> Page:
    """A card's movements of one unit (None: of all), from the newest before the sequence number *before* on."""
    query = select(Entry).where(Entry.card_id == card_id).order_by(Entry.seq.desc()).limit(limit + 1)
    if unit is not None:
        query = query.where(Entry.unit.in_((POINTS, USES) if unit == POINTS else (unit,)))
    if before is not None:
        query = query.where(Entry.seq < before)
    found = list(session.scalars(query))
    shown = found[:limit]
    movements = tuple(_movements(session, card_id, shown))
    return Page(movements=movements, before=shown[-1].seq if len(found) > limit else None)


def of_entries(session: Session, card_id: int, entries: Sequence[Entry]) -> list[Movement]:
    """The same for some entries of a card, in any order; answered from the newest on."""
    return list(_movements(session, card_id, sorted(entries, key=lambda entry: -entry.seq)))


def units(session: Session, card_id: int) -> list[str]:
    """The units in which something was ever moved on a card, points first."""
    found = set(session.scalars(select(Entry.unit).where(Entry.card_id == card_id).distinct())) - {USES}
    return [POINTS, *sorted(found - {POINTS})]


def unit_of(entry: Entry) -> str:
    """Among which unit an entry is shown."""
    return POINTS if entry.unit == USES else entry.unit


def _movements(session: Session, card_id: int, entries: Sequence[Entry]) -> Iterator[Movement]:
    ids = [entry.id for entry in entries]
    if not ids:
        return
    legs, balances = _legs_and_balances(session, card_id, entries)
    lines, lots, uses = _lines(session, ids), _lots(session, ids), _uses(session, ids)
    undone, versions, due = _undone(session, ids), _versions(session, entries), _due(session, ids)
    for entry in entries:
        moved = legs.get(entry.seq, {})
        times, units_back = undone.get(entry.id, (0, 0))
        yield Movement(
            entry=entry,
            unit=unit_of(entry),
            change=moved.get("avail", 0),
            filled=max(0, moved.get("debt", 0)) if entry.kind != "writeoff" else 0,
            balance=balances[entry.seq],
            version=versions.get(entry.rule_version_id or 0),
            lines=tuple(lines.get(entry.id, ())),
            opened=tuple(lots.get(entry.id, ())),
            used=tuple(uses.get(entry.id, ())),
            taken_back=units_back,
            is_undone=bool(times) and units_back >= abs(entry.points),
            due_at=due.get(entry.id),
        )


def _legs_and_balances(
    session: Session, card_id: int, entries: Sequence[Entry]
) -> tuple[dict[int, dict[str, int]], dict[int, Standing]]:
    """What each entry moved, by role, and what it left in its own unit; both by the entry's sequence number.

    Summed up to the oldest of them by the database, and from there on movement by movement.
    """
    low, high = min(entry.seq for entry in entries), max(entry.seq for entry in entries)
    sums = {(unit, role): int(total) for _, unit, role, total in session.execute(_postings(card_id, until=low))}
    wanted = {entry.seq: unit_of(entry) for entry in entries}
    legs: dict[int, dict[str, int]] = {}
    for seq, unit, role, amount in session.execute(_postings(card_id, since=low, until=high + 1)):
        legs.setdefault(seq, {})[f"{unit} {role}"] = int(amount)
    balances, moved = {}, {}
    for seq in sorted({*legs, *wanted}):
        for name, amount in legs.get(seq, {}).items():
            unit, _, role = name.rpartition(" ")
            sums[unit, role] = sums.get((unit, role), 0) + amount
        if seq in wanted:
            unit = wanted[seq]
            balances[seq] = Standing.of({role: sums.get((unit, role), 0) for role in ROLES})
            moved[seq] = {role: legs.get(seq, {}).get(f"{unit} {role}", 0) for role in ROLES}
    return moved, balances


def _postings(card_id: int, *, since: int | None = None, until: int) -> Select[int, str, str, int]:
    """Sums of a member's postings by unit and role: of each entry from *since* on, or of all before *until* as one."""
    seq = Entry.seq if since is not None else literal(0)
    query = (
        select(seq, Account.unit, Account.role, func.sum(Posting.amount))
        .join(Account, Account.id == Posting.account_id)
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Entry.card_id == card_id, Account.member_id.is_not(None), Entry.seq < until)
        .group_by(Account.unit, Account.role)
    )
    return query if since is None else query.where(Entry.seq >= since).group_by(Entry.seq).order_by(Entry.seq)


def _lines(session: Session, ids: Sequence[str]) -> dict[str, list[EntryLine]]:
    found: dict[str, list[EntryLine]] = {}
    for line in session.scalars(select(EntryLine).where(EntryLine.entry_id.in_(ids)).order_by(EntryLine.line_no)):
        found.setdefault(line.entry_id, []).append(line)
    return found


def _lots(session: Session, ids: Sequence[str]) -> dict[str, list[Dated]]:
    query = select(Lot.entry_id, Lot.original, Lot.earned_at, Lot.expires_at).where(Lot.entry_id.in_(ids))
    return _dated(session, query.order_by(Lot.id))


def _uses(session: Session, ids: Sequence[str]) -> dict[str, list[Dated]]:
    query = (
        select(LotUse.entry_id, LotUse.amount, Lot.earned_at, Lot.expires_at)
        .join(Lot, Lot.id == LotUse.lot_id)
        .where(LotUse.entry_id.in_(ids), Lot.entry_id != LotUse.entry_id)  # what filled a debt at once is no use
    )
    return _dated(session, query.order_by(LotUse.id))


def _dated(session: Session, query: Select[str, int, datetime, datetime | None]) -> dict[str, list[Dated]]:
    found: dict[str, list[Dated]] = {}
    for entry_id, amount, earned_at, expires_at in session.execute(query):
        some = found.setdefault(entry_id, [])
        if len(some) < LOTS_SHOWN:
            some.append(Dated(units=amount, earned_at=earned_at, expires_at=expires_at))
    return found


def _undone(session: Session, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How often each entry was reversed, and how many units of it."""
    query = select(Entry.reverses_id, func.count(), func.sum(Entry.points)).where(Entry.reverses_id.in_(ids))
    rows = session.execute(query.group_by(Entry.reverses_id))
    return {entry_id: (times, abs(int(points or 0))) for entry_id, times, points in rows if entry_id is not None}


def _versions(session: Session, entries: Sequence[Entry]) -> dict[int, int]:
    wanted = {entry.rule_version_id for entry in entries if entry.rule_version_id is not None}
    if not wanted:
        return {}
    rows = session.execute(select(RuleVersion.id, RuleVersion.number).where(RuleVersion.id.in_(wanted)))
    return {row.id: row.number for row in rows}


def _due(session: Session, ids: Sequence[str]) -> dict[str, datetime]:
    query = select(Pending.entry_id, Pending.due_at).where(Pending.entry_id.in_(ids), Pending.state == "waiting")
    return {row.entry_id: row.due_at for row in session.execute(query)}
