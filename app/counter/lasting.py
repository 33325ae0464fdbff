"""Until when units live: the ladder that people see, and how units come to live longer than they were promised to.

They never live shorter: what was promised is kept, and the database refuses anything else.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from app import localtime
from app.cards import programmes
from app.cards.models import Programme
from app.earning import expiring
from app.earning.rules import Expiry, Policy
from app.errors import Unprocessable
from app.ledger import expiry as lots
from app.ledger import service as ledger
from app.ledger.held import POINTS, Held
from app.staff import audit

LOTS_AT_ONCE = 5_000
LONGEST_REASON = 200
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Units that can be spent on `last_on` for the last time; `expires_at` is the first instant without them."""

    units: int
    last_on: date
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """What expires when, the soonest first; `never`: what does not."""

    steps: tuple[Step, ...]
    never: int


@dataclass(frozen=True, kw_only=True)
class Lengthening:
    """Lots of a unit that end on the day `ending_by` or earlier (None: before `until`) live to the end of `until`."""

    unit: str
    until: date
    ending_by: date | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Lengthened:
    """How many lots were changed, and whether none is left."""

    lots: int
    complete: bool


def ladder(session: Session, member_id: int, unit: str, zone: str) -> Ladder:
    """A member's whole ladder, with days by the calendar of *zone*."""
    found = lots.ladder(session, member_id, unit)
    by_day: dict[date, Step] = {}
    for at, units in found:
        if at is not None:
            last_on = _last_day(at, zone)
            before = by_day[last_on].units if last_on in by_day else 0
            by_day[last_on] = Step(units=before + units, last_on=last_on, expires_at=at)
    return Ladder(steps=tuple(by_day.values()), never=sum(units for at, units in found if at is None))


def ahead(session: Session, programme: Programme, unit: str, *, now: datetime, limit: int) -> list[Step]:
    """What of a whole programme expires next, day by day: *limit* instants, the soonest first."""
    found = lots.ahead(session, programme.id, unit, now=now, limit=limit)
    return [Step(units=units, last_on=_last_day(at, programme.timezone), expires_at=at) for at, units in found]


def _last_day(expires_at: datetime, zone: str) -> date:
    return localtime.wall_clock(expires_at - timedelta(milliseconds=1), zone).date()


def keep_alive(session: Session, held: Held, expiry: Expiry, at: datetime, zone: str) -> int:
    """Let all points of a member who buys at *at* live for another period; how many lots were lengthened.

    Nothing happens unless points expire by inactivity. What had expired at *at* stays so; nothing is ever shortened.
    """
    if expiry.policy is not Policy.INACTIVITY:
        return 0
    until = expiring.expires_at(expiry, at, zone)
    if until is None:
        return 0
    return lots.lengthen(session, lots.alive(session, held, POINTS, at=at, until=until), until)


def lengthen(session: Session, programme: Programme, wanted: Lengthening, *, actor: str, now: datetime) -> Lengthened:
    """Let lots of all members live longer, at most `LOTS_AT_ONCE`, soonest first; again goes on where this ended.

    Every call is an event in the audit log; the one that completes it brings all cards up to date.

    Raises: Unprocessable `shortens_lots`, `expiry_before_earning` or `expiry_on_stored_value`.
    """
    until = localtime.end_of_day(wanted.until, programme.timezone)
    if ledger.is_money(wanted.unit):
        text = "Stored value never expires; there is nothing to lengthen."
        raise Unprocessable("expiry_on_stored_value", text, errors={"unit": text})
    if until <= now:
        text = "This day is over; choose a later one."
        raise Unprocessable("expiry_before_earning", text, errors={"until": text})
    if wanted.ending_by is not None and wanted.ending_by > wanted.until:
        text = "Lots that live longer than this day would be shortened, which is never done; choose a later day."
        raise Unprocessable("shortens_lots", text, errors={"until": text})
    ending_by = until if wanted.ending_by is None else localtime.end_of_day(wanted.ending_by, programme.timezone)
    found = lots.ending(session, programme.id, wanted.unit, now=now, by=ending_by, before=until, limit=LOTS_AT_ONCE + 1)
    changed = lots.lengthen(session, found[:LOTS_AT_ONCE], until)
    done = Lengthened(lots=changed, complete=len(found) <= LOTS_AT_ONCE)
    _tell(session, programme, wanted, done, actor=actor, now=now)
    return done


def _tell(
    session: Session, programme: Programme, wanted: Lengthening, done: Lengthened, *, actor: str, now: datetime
) -> None:
    after = {"unit": wanted.unit, "until": wanted.until.isoformat(), "lots": done.lots, "complete": done.complete}
    if wanted.ending_by is not None:
        after["ending_by"] = wanted.ending_by.isoformat()
    subject = f"programme:{programme.public_id}"
    audit.record(
        session, actor=actor, action="lots_lengthened", subject=subject, after=after, reason=wanted.reason, now=now
    )
    if done.complete:
        programmes.redesigned(session, programme, now=now)
