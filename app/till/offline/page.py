"""The list of what was refused or is odd, as plain values for one template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import money
from app.cards import codes
from app.staff.models import Staff
from app.till.desk import Desk
from app.till.models import OfflineRules, OfflineSale
from app.till.offline import booking, rules, service, words

CODE_IS_WRONG = frozenset({"unknown_code", "void_card", "not_a_code"})


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """One item. `may_accept`: it is not booked; `needs_code`: only with another card."""

    id: str
    kind: str
    amount: str
    points: int
    number: str
    when: str
    receipt: str
    cashier: str
    sent_by: str
    status: str
    why: Sequence[str]
    what_to_do: str
    may_accept: bool
    needs_code: bool


@dataclass(frozen=True, kw_only=True)
class Conflicts:
    """The page. `refusal` stands at the item `refused_id`."""

    desk: Desk
    items: Sequence[Conflict]
    allowed: OfflineRules
    clock_only: int
    refusal: str = ""
    refused_id: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)


def conflicts_of(
    session: Session, here: Desk, *, language: str, refusal: str = "", refused_id: str = "",
    typed: Mapping[str, str] | None = None,
) -> Conflicts:  # fmt: skip
    """What a store's people should look at."""
    rows = service.waiting(session, here)
    names = _names(session, {row.cashier for row in rows} | {row.sent_by for row in rows})
    return Conflicts(
        desk=here,
        items=[_conflict(row, names, here, language) for row in rows],
        allowed=booking.rules_of(session, here.choice.store_id),
        clock_only=sum(row.status == "applied" and row.flags == [rules.CLOCK] for row in rows),
        refusal=refusal,
        refused_id=refused_id,
        typed=typed or {},
    )


def _conflict(row: OfflineSale, names: Mapping[str, str], here: Desk, language: str) -> Conflict:
    reasons = [words.why(row.reason, row.detail, row.currency)] if row.reason else []
    at = row.made_at.astimezone(ZoneInfo(here.timezone))
    return Conflict(
        id=row.public_id,
        kind=row.kind,
        amount=money.shown(row.amount_minor, row.currency, language) if row.amount_minor else "",
        points=row.points or 0,
        number=codes.grouped(row.number) if row.reason in CODE_IS_WRONG else f"···· {row.number[-4:]}",
        when=format_datetime(at, "short", locale=language),
        receipt=row.receipt or "",
        cashier=names.get(row.cashier, ""),
        sent_by=names.get(row.sent_by, "") if row.sent_by != row.cashier else "",
        status=row.status,
        why=[*reasons, *(words.flag(flag, row.lost) for flag in row.flags)],
        what_to_do=words.what_to_do(row),
        may_accept=row.status == "refused",
        needs_code=row.status == "refused" and row.reason in CODE_IS_WRONG,
    )


def _names(session: Session, public_ids: set[str]) -> dict[str, str]:
    query = select(Staff.public_id, Staff.name).where(Staff.public_id.in_(public_ids))
    return {row.public_id: row.name for row in session.execute(query)}
