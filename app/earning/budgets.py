"""Caps that all members share: points are reserved in the transaction of the sale, and given back once if it is undone.

The conditional UPDATE is the judge between two tills; what was read before it only makes a good guess.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from app.db import insert_if_new, rows_changed, table_of
from app.earning.models import Budget, BudgetUse
from app.earning.rules import Cap

_BUDGET, _USE = table_of(Budget), table_of(BudgetUse)


def used(session: Session, programme_id: int, names: Iterable[str]) -> dict[str, int]:
    """How many points were given of each budget; one that nobody used yet is not there."""
    query = select(_BUDGET.c.name, _BUDGET.c.used)
    found = session.execute(query.where(_BUDGET.c.programme_id == programme_id, _BUDGET.c.name.in_(list(names))))
    return {name: points for name, points in found}  # noqa: C416  # rows are no pairs to mypy


def reserve(session: Session, programme_id: int, caps: Sequence[Cap], points: int) -> bool:
    """Take *points* of every budget, or of none: False if one of them has less left. Then all are locked, so that what
    is left of them stays until it is asked for again.

    Budgets are taken in the order of their names, so that two sales never wait for each other.
    """
    taken: list[Cap] = []
    for cap in sorted(caps, key=lambda one: one.name):
        insert_if_new(session, Budget, programme_id=programme_id, name=cap.name, used=0)
        if not _moved(session, programme_id, cap.name, points, most=cap.points):
            for other in taken:
                _moved(session, programme_id, other.name, -points, most=other.points)
            _lock(session, programme_id, caps)
            return False
        taken.append(cap)
    return True


def note(session: Session, entry_id: str, caps: Sequence[Cap], points: int) -> None:
    """Write down which entry took points of which budgets."""
    if caps:
        session.execute(insert(_USE), [{"entry_id": entry_id, "name": cap.name, "points": points} for cap in caps])


def give_back(session: Session, programme_id: int, entry_id: str, back_id: str, points: int) -> None:
    """Give *points* of an entry back to its budgets; *back_id* is the entry that undoes it, wholly or in part."""
    query = select(_USE.c.name).where(_USE.c.entry_id == entry_id).order_by(_USE.c.name)
    for name in session.scalars(query).all():
        session.execute(insert(_USE).values(entry_id=back_id, name=name, points=-points))
        _moved(session, programme_id, name, -points, most=None)


def _lock(session: Session, programme_id: int, caps: Sequence[Cap]) -> None:
    names = [cap.name for cap in caps]
    query = select(_BUDGET.c.name).where(_BUDGET.c.programme_id == programme_id, _BUDGET.c.name.in_(names))
    session.execute(query.order_by(_BUDGET.c.name).with_for_update())


def _moved(session: Session, programme_id: int, name: str, points: int, *, most: int | None) -> bool:
    moved = update(_BUDGET).where(_BUDGET.c.programme_id == programme_id, _BUDGET.c.name == name)
    if most is not None and points > 0:
        moved = moved.where(_BUDGET.c.used + points <= most)
    return rows_changed(session, moved.values(used=_BUDGET.c.used + points)) == 1


def differences(session: Session) -> list[str]:
    """Budgets that do not say what their uses sum to."""
    noted = func.coalesce(func.sum(_USE.c.points), 0)
    entries = select(_USE.c.name, noted.label("points")).group_by(_USE.c.name).subquery()
    total = select(_BUDGET.c.name, func.sum(_BUDGET.c.used).label("used")).group_by(_BUDGET.c.name).subquery()
    query = (
        select(total.c.name, total.c.used, func.coalesce(entries.c.points, 0))
        .outerjoin(entries, entries.c.name == total.c.name)
        .where(total.c.used != func.coalesce(entries.c.points, 0))
    )
    return [f"budget {name} says {says}, its sales sum to {noted}" for name, says, noted in session.execute(query)]
