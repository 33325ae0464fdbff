"""The ways in which a member's units can move, each one entry: in, out, back again, and reserved.

Whoever calls holds the card. Every way in fills what the member owes first; every way out uses up lots.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.ledger import lots
from app.ledger.booking import Booked, Circumstance, Leg, book, insufficient, leg, member_s, programme_s
from app.ledger.held import Held
from app.ledger.lots import Fresh


def give(
    session: Session,
    card: Held,
    unit: str,
    units: int,
    *,
    source: str,
    by: Circumstance,
    fresh: Sequence[Fresh] | None = None,
    expires_at: datetime | None = None,
    **facts: Any,
) -> Booked:
    """Credit *units* from the programme's account *source*, as lots that can be spent at once.

    *fresh*: the lots, if there is more than one or their dates are older than this entry; they sum to *units*.
    """
    filled = min(units, card.owed(unit))
    booked = book(
        session, card, _in(session, card, unit, units, filled, source), by=by, unit=unit, points=units, **facts
    )
    opened = fresh or [Fresh(original=units, earned_at=booked.entry.occurred_at, expires_at=expires_at)]
    _open(session, booked, unit, _filled(opened, filled))
    return booked


def take(
    session: Session,
    card: Held,
    unit: str,
    units: int,
    *,
    sink: str,
    by: Circumstance,
    only_lot: int | None = None,
    **facts: Any,
) -> Booked:
    """Use up *units*, of one lot alone if it is named; they go to the programme's account *sink*.

    Raises: Unprocessable `insufficient`.
    """
    has = card.in_unit(unit)
    if has < units:
        raise insufficient(has, units)
    legs = [
        leg(member_s(session, card, unit, "avail"), -units),
        Leg(account_id=programme_s(session, card, unit, sink), amount=units),
    ]
    booked = book(session, card, legs, by=by, unit=unit, points=-units, **facts)
    if only_lot is None:
        lots.take(session, booked.entry.id, _avail(booked.card, unit), units)
    else:
        lots.take_from(session, booked.entry.id, only_lot, units)
    return booked


def take_back(
    session: Session,
    card: Held,
    unit: str,
    units: int,
    *,
    sink: str,
    lots_of: str,
    by: Circumstance,
    **facts: Any,
) -> Booked:
    """Take *units* that the entry *lots_of* gave; what was spent meanwhile is owed from now on."""
    taken = min(units, card.in_unit(unit))
    legs = [Leg(account_id=programme_s(session, card, unit, sink), amount=units)]
    legs += [leg(member_s(session, card, unit, "avail"), -taken)] if taken else []
    legs += [leg(member_s(session, card, unit, "debt"), taken - units)] if units > taken else []
    booked = book(session, card, legs, by=by, unit=unit, points=-units, **facts)
    if taken:
        lots.take(session, booked.entry.id, _avail(booked.card, unit), taken, first_of=lots_of)
    return booked


def give_back(
    session: Session,
    card: Held,
    unit: str,
    units: int,
    *,
    source: str,
    used_by: Sequence[str],
    by: Circumstance,
    grace: timedelta = lots.GIVEN_BACK_FOR,
    **facts: Any,
) -> Booked:
    """Return *units* that the entries *used_by* took; what is owed is filled first, and stays used."""
    filled = min(units, card.owed(unit))
    booked = book(
        session, card, _in(session, card, unit, units, filled, source), by=by, unit=unit, points=units, **facts
    )
    if units > filled:
        avail = _avail(booked.card, unit)
        lots.give_back(session, booked.entry.id, avail, units - filled, used_by=used_by, now=by.now, grace=grace)
    return booked


def reserve(session: Session, card: Held, unit: str, units: int, *, by: Circumstance) -> Booked:
    """Put *units* aside.

    Raises: Unprocessable `insufficient`.
    """
    has = card.in_unit(unit)
    if has < units:
        raise insufficient(has, units)
    legs = [leg(member_s(session, card, unit, "avail"), -units), leg(member_s(session, card, unit, "hold"), units)]
    booked = book(session, card, legs, by=by, kind="hold", unit=unit, points=-units)
    lots.take(session, booked.entry.id, _avail(booked.card, unit), units)
    return booked


def capture(session: Session, card: Held, unit: str, units: int, *, by: Circumstance) -> Booked:
    """Use up reserved *units*: they have left what can be spent already, so the entry's `points` are 0."""
    legs = [
        leg(member_s(session, card, unit, "hold"), -units),
        Leg(account_id=programme_s(session, card, unit, "redeem"), amount=units),
    ]
    return book(session, card, legs, by=by, kind="capture", unit=unit, points=0)


def release(session: Session, card: Held, unit: str, units: int, *, used_by: Sequence[str], by: Circumstance) -> Booked:
    """Give reserved *units* back to their lots, those that expired meanwhile too: the next sweep finds them there."""
    filled = min(units, card.owed(unit))
    legs = [leg(member_s(session, card, unit, "hold"), -units)]
    legs += _to_member(session, card, unit, units, filled)
    booked = book(session, card, legs, by=by, kind="release", unit=unit, points=units)
    if units > filled:
        avail, none = _avail(booked.card, unit), timedelta(0)
        lots.give_back(session, booked.entry.id, avail, units - filled, used_by=used_by, now=by.now, grace=none)
    return booked


def await_(session: Session, card: Held, unit: str, units: int, *, by: Circumstance, **facts: Any) -> Booked:
    """Credit *units* that cannot be spent yet."""
    legs = [
        Leg(account_id=programme_s(session, card, unit, "issue"), amount=-units),
        leg(member_s(session, card, unit, "pend"), units),
    ]
    return book(session, card, legs, by=by, unit=unit, points=units, **facts)


def activate(
    session: Session, card: Held, unit: str, units: int, *, earned_at: datetime, expires_at: datetime | None,
    by: Circumstance,
) -> Booked:  # fmt: skip
    """Let waiting *units* be spent from now on."""
    filled = min(units, card.owed(unit))
    legs = [leg(member_s(session, card, unit, "pend"), -units), *_to_member(session, card, unit, units, filled)]
    booked = book(session, card, legs, by=by, kind="activate", unit=unit, points=0)
    _open(session, booked, unit, [Fresh(original=units, earned_at=earned_at, expires_at=expires_at, filled=filled)])
    return booked


def unawait(session: Session, card: Held, unit: str, units: int, *, by: Circumstance, **facts: Any) -> Booked:
    """Take back *units* that wait to be spent."""
    legs = [
        leg(member_s(session, card, unit, "pend"), -units),
        Leg(account_id=programme_s(session, card, unit, "issue"), amount=units),
    ]
    return book(session, card, legs, by=by, unit=unit, points=-units, **facts)


def forgive(session: Session, card: Held, unit: str, units: int, *, by: Circumstance) -> Booked:
    """Write off *units* that the member owes: the programme's loss."""
    legs = [
        Leg(account_id=programme_s(session, card, unit, "writeoff"), amount=-units),
        leg(member_s(session, card, unit, "debt"), units),
    ]
    return book(session, card, legs, by=by, kind="writeoff", unit=unit, points=units)


def _in(session: Session, card: Held, unit: str, units: int, filled: int, source: str) -> list[Leg]:
    origin = Leg(account_id=programme_s(session, card, unit, source), amount=-units)
    return [origin, *_to_member(session, card, unit, units, filled)]


def _to_member(session: Session, card: Held, unit: str, units: int, filled: int) -> list[Leg]:
    legs = [leg(member_s(session, card, unit, "debt"), filled)] if filled else []
    return legs + ([leg(member_s(session, card, unit, "avail"), units - filled)] if units > filled else [])


def _filled(fresh: Sequence[Fresh], filled: int) -> list[Fresh]:
    """The same lots, of which the first *filled* units are used at once."""
    found = []
    for lot in fresh:
        part = min(filled, lot.original)
        filled -= part
        found.append(Fresh(original=lot.original, earned_at=lot.earned_at, expires_at=lot.expires_at, filled=part))
    return found


def _open(session: Session, booked: Booked, unit: str, fresh: Sequence[Fresh]) -> None:
    avail = booked.card.accounts.get((unit, "avail"))
    account = avail or member_s(session, booked.card, unit, "avail")
    lots.open_lots(session, booked.entry.id, account.id, fresh)


def _avail(card: Held, unit: str) -> int:
    return card.accounts[unit, "avail"].id
