"""Birthdays: the day and the month, found again by keyed digest, and whom a shop may congratulate.

A copy of the database tells nobody's birthday. Who says one shortly before it, or another one every few months, gets
no present for it.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from babel.dates import format_date
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import people
from app.cards.models import Member
from app.cards.people import Person
from app.errors import Conflict, Sentence
from app.gate import Priority
from app.world import World

KNOWN_FOR = timedelta(days=30)
ONCE_IN = timedelta(days=365)
LEAP_DAY, DAY_BEFORE = "02-29", "02-28"
NONE_KNOWN = ""  # looked at, and there is none; NULL: kept from before there were digests
CHUNK = 500


def digest(session: Session, programme_id: int, birthday: str | None) -> str:
    """By which members of a programme with a birthday (MM-DD) are found."""
    return people.blind(session, f"{programme_id}:birthday:{birthday}") if birthday else NONE_KNOWN


def note_first(session: Session, member: Member, birthday: str | None, *, now: datetime) -> None:
    """Keep the birthday that a new member came with."""
    member.birthday_index = digest(session, member.programme_id, birthday)
    member.birthday_set_at = now if birthday else None


def change(session: Session, member: Member, birthday: str | None, *, now: datetime) -> bool:
    """Let a member have another birthday (MM-DD, checked by `people`), or none; False if it is the one they had.

    Raises: Conflict `birthday_changed`, if it was changed less than 365 days ago. It can always be taken away.
    """
    person = people.of(session, member)
    if person.birthday == birthday:
        return False
    is_another = birthday is not None and member.birthday_set_at is not None
    if is_another and member.birthday_changed_at and now - member.birthday_changed_at < ONCE_IN:
        again_on = (member.birthday_changed_at + ONCE_IN).date()
        text = Sentence(
            "The birthday was changed less than a year ago; it can be changed again from %(day)s on.",
            day=format_date(again_on, "y-MM-dd", locale="en"),
        )
        raise Conflict("birthday_changed", text, errors={"birthday": text})
    member.sealed = people.seal(session, replace(person, birthday=birthday))
    member.birthday_index = digest(session, member.programme_id, birthday)
    if birthday is not None:
        member.birthday_changed_at = now if is_another else member.birthday_changed_at
        member.birthday_set_at = now
    session.flush()
    return True


def forget(member: Member) -> None:
    """Leave nothing of an erased member's birthday."""
    member.birthday_index = NONE_KNOWN
    member.birthday_set_at = member.birthday_changed_at = None


def kept_on(day: date) -> list[str]:
    """The birthdays (MM-DD) that are kept on a day: that of 29 February on the 28th in other years."""
    found = [day.strftime("%m-%d")]
    if found[0] == DAY_BEFORE and (day + timedelta(days=1)).month == 3:
        found.append(LEAP_DAY)
    return found


def is_known_long_enough(set_at: datetime | None, day_starts_at: datetime) -> bool:
    """Whether a birthday was said at least 30 days before the day on which it is kept."""
    return set_at is not None and day_starts_at - set_at >= KNOWN_FOR


def digests_of(session: Session, programme_id: int, days: Collection[date]) -> dict[str, date]:
    """The digests of all birthdays that are kept on some days, and on which of them."""
    return {digest(session, programme_id, one): day for day in sorted(days) for one in kept_on(day)}


def fill(world: World, *, chunk: int = CHUNK) -> int:
    """Bring digests to members from before there were any; how many. Again, or from two processes: the same."""
    done, after = 0, 0
    while True:
        with world.database.reading() as session:
            query = select(Member.id).where(Member.birthday_index.is_(None), Member.id > after)
            found = list(session.scalars(query.order_by(Member.id).limit(chunk)))
        if not found:
            return done
        done += world.database.transact(partial(_fill, ids=found), priority=Priority.BULK)
        after = found[-1]


def _fill(session: Session, ids: list[int]) -> int:
    query = select(Member).where(Member.id.in_(ids), Member.birthday_index.is_(None)).order_by(Member.id)
    members = session.scalars(query.with_for_update(of=Member, skip_locked=True)).all()
    for member in members:
        person: Person = people.of(session, member)
        member.birthday_index = digest(session, member.programme_id, person.birthday)
        if person.birthday:
            member.birthday_set_at = member.birthday_set_at or member.created_at
    return len(members)
