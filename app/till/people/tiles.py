"""The people of a store as tiles: initials to press."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.cards import people
from app.staff import pins, rules
from app.till.desk import Desk
from app.till.people.approvals import Sent, place_of

PICKS = 9


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Somebody to choose. `pick`: the digit that chooses them, or 0."""

    id: str
    initials: str
    name: str
    role: str
    has_pin: bool
    pick: int = 0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A form that waits for a manager's word, and the managers of this store who have a PIN."""

    sent: Sent
    managers: tuple[Tile, ...]
    is_open: bool = False


def with_pin(session: Session, desk: Desk, roles: tuple[str, ...] = rules.TILL) -> tuple[Tile, ...]:
    """Who can take over here."""
    known = [(staff, has) for staff, has in pins.people_at(session, place_of(desk), roles) if has]
    return tuple(
        Tile(
            id=staff.public_id,
            initials=people.initials(staff.name, staff.language),
            name=staff.name,
            role=staff.role,
            has_pin=has,
            pick=place if place <= PICKS else 0,
        )
        for place, (staff, has) in enumerate(known, start=1)
    )


def everybody(session: Session, desk: Desk) -> tuple[Tile, ...]:
    """All who may stand here, with a PIN or without."""
    return tuple(
        Tile(
            id=staff.public_id,
            initials=people.initials(staff.name, staff.language),
            name=staff.name,
            role=staff.role,
            has_pin=has,
        )
        for staff, has in pins.people_at(session, place_of(desk))
    )


def wanted(session: Session, desk: Desk, sent: Sent) -> Wanted:
    """What the screen needs to ask a manager."""
    return Wanted(sent=sent, managers=with_pin(session, desk, rules.TILL_ABOVE_LIMIT), is_open=sent.asks)
