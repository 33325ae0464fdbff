"""PINs: four to eight digits by which a person takes over a till that somebody signed in with a password.

A PIN is never enough to sign in: it names one of the people of a store inside a session that a password opened. Four
digits have ten thousand values, so two things stand between a stolen database and a PIN. The digest is keyed with a
secret that is not in the database: without it nothing can be tried at all. With both, each guess costs an argon2id of
19 MiB, which is what a password costs. At the till five wrong tries lock a person there for ten minutes, and thirty in
a day lock the PIN everywhere until a manager takes it away or the day is over.

The salt is the installation's, not the person's: the same PIN gives the same digest, so that the database can refuse a
second person of one store the PIN of the first.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from argon2.low_level import Type, hash_secret_raw
from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from app.errors import Sentence, TooManyRequests, Unprocessable
from app.staff import audit, passwords, rules, throttle
from app.staff.models import Staff, StaffPin
from app.vault import Vault
from app.world import World

SHORTEST, LONGEST = 4, 8
AT_TILL = throttle.Lock(kind="pin_at_till", limit=5, window_s=600, lock_s=600)
AT_TERMINAL = throttle.Lock(kind="pin_at_terminal", limit=15, window_s=600, lock_s=600)
IN_A_DAY = throttle.Lock(kind="pin_in_a_day", limit=30, window_s=86_400, lock_s=86_400)
# Being told "taken" is a hint at a colleague's PIN: nobody may collect many.
TAKEN = throttle.Lock(kind="pin_taken", limit=5, window_s=86_400, lock_s=86_400)
RISING = "01234567890"
PUBLIC_ID = re.compile(r"sta_[0-9a-z]{1,60}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A programme and one of its stores; None: it has none yet."""

    programme_id: int
    store_id: int | None


@dataclass(frozen=True, kw_only=True)
class Guess:
    """Somebody's PIN as typed: whose, where, at which terminal, and who was signed in there."""

    staff: str
    pin: str
    place: Place
    terminal: str
    actor: str
    roles: tuple[str, ...] = rules.TILL


def digest_of(vault: Vault, pin: str) -> str:
    """The slow, keyed digest of a PIN: about as much work as a password; never called inside a transaction."""
    key = vault.key_for("till-pin")
    cost = passwords.HASHER
    raw = hash_secret_raw(
        hmac.new(key, b"pin:" + pin.encode(), hashlib.sha256).digest(),
        hmac.new(key, b"salt", hashlib.sha256).digest()[:16],
        time_cost=cost.time_cost,
        memory_cost=cost.memory_cost,
        parallelism=cost.parallelism,
        hash_len=32,
        type=Type.ID,
    )
    return f"1:{raw.hex()}"


def set_own(world: World, staff_id: int, pin: str, *, password: str) -> None:
    """Give oneself a PIN; the password shows that it is not somebody at a screen that was left open.

    Raises: Unprocessable with `errors` for `pin` (`invalid_pin`, `pin_too_plain`, `pin_taken`) or `pin_password`
        (`wrong_password`); TooManyRequests `pin_locked` after too many that were taken.
    """
    _check_form(pin)
    with world.database.reading() as reading:
        me = reading.get_one(Staff, staff_id)
    if not passwords.matches(me.password_hash, password[:1000]):
        text = "This is not your present password."
        raise Unprocessable("wrong_password", text, errors={"pin_password": text})
    digest = digest_of(world.vault, pin)
    now = world.clock()
    with world.database.unit_of_work() as writing:
        _keep(writing, writing.get_one(Staff, staff_id), digest, now)


def take_away(session: Session, staff: Staff, *, actor: str, now: datetime) -> None:
    """End a person's PIN, and forget their wrong tries. Doing it again changes nothing."""
    held = session.get(StaffPin, staff.id)
    for lock in (IN_A_DAY, TAKEN):
        throttle.forgive(session, lock, f"staff:{staff.public_id}")
    if held is not None:
        session.execute(delete(StaffPin).where(StaffPin.staff_id == staff.id))
        subject = f"staff:{staff.public_id}"
        audit.record(session, actor=actor, action="pin_removed", subject=subject, now=now)


def has_pin(session: Session, staff_id: int) -> bool:
    """Whether that person has a PIN."""
    return session.get(StaffPin, staff_id) is not None


def people_at(session: Session, place: Place, roles: tuple[str, ...] = rules.TILL) -> list[tuple[Staff, bool]]:
    """Who may stand at this till in one of these roles, by name, each with whether they have a PIN."""
    query = (
        select(Staff, StaffPin.staff_id.is_not(None))
        .outerjoin(StaffPin, StaffPin.staff_id == Staff.id)
        .where(Staff.active, Staff.role.in_((*roles, rules.OWNER)), *_reaches(place.programme_id, place.store_id))
        .order_by(Staff.name, Staff.id)
    )
    return [(row[0], bool(row[1])) for row in session.execute(query)]


def check(world: World, guess: Guess) -> Staff:
    """The person whose PIN that is. A wrong PIN, and somebody who may not stand here, give the same answer.

    Counted before it is judged; judged outside of any transaction.

    Raises: TooManyRequests `pin_locked`; Unprocessable `wrong_pin`.
    """
    now = world.clock()
    with world.database.unit_of_work() as writing:
        counts = [_count(writing, lock, subject, now) for lock, subject in _subjects(guess)]
    with world.database.reading() as reading:
        staff, known = _holder(reading, guess)
    right = hmac.compare_digest(digest_of(world.vault, guess.pin[: LONGEST + 1]), known)
    with world.database.unit_of_work() as writing:
        if right and staff is not None:
            _forgive(writing, guess)
            return staff
        subject = f"staff:{staff.public_id}" if staff else "staff:unknown"
        audit.record(writing, actor=guess.actor, action="pin_refused", subject=subject, now=now)
        if counts[0] >= AT_TILL.limit:
            audit.record(writing, actor=guess.actor, action="pin_locked", subject=subject, now=now)
    raise Unprocessable("wrong_pin", "The PIN is not right.", errors={"pin": "The PIN is not right."})


def _check_form(pin: str) -> None:
    if not (pin.isascii() and pin.isdigit() and SHORTEST <= len(pin) <= LONGEST):
        text = "A PIN has four to eight digits."
        raise Unprocessable("invalid_pin", text, errors={"pin": text})
    if len(set(pin)) == 1 or pin in RISING or pin in RISING[::-1]:
        text = "This PIN is the first that anybody would try. Choose another."
        raise Unprocessable("pin_too_plain", text, errors={"pin": text})


def _keep(session: Session, me: Staff, digest: str, now: datetime) -> None:
    """Those who may meet at a till are locked in one order: two who want one PIN at once cannot both have it."""
    subject = f"staff:{me.public_id}"
    met = select(Staff.id).where(Staff.active, *_shares(me)).order_by(Staff.id)
    session.execute(met.with_for_update(key_share=True)).all()
    _count(session, TAKEN, subject, now)
    taken = (
        select(StaffPin.staff_id)
        .join(Staff, Staff.id == StaffPin.staff_id)
        .where(StaffPin.digest == digest, StaffPin.staff_id != me.id, Staff.active, *_shares(me))
    )
    if session.scalar(taken.limit(1)) is not None:
        text = "Choose another PIN: this one cannot be used here."
        raise Unprocessable("pin_taken", text, errors={"pin": text}, commits=True)
    throttle.forgive(session, TAKEN, subject)
    held = session.get(StaffPin, me.id)
    if held is None:
        session.add(StaffPin(staff_id=me.id, digest=digest, set_at=now))
    else:
        held.digest, held.set_at = digest, now
    audit.record(session, actor=subject, action="pin_set", subject=subject, now=now)


def _count(session: Session, lock: throttle.Lock, subject: str, now: datetime) -> int:
    try:
        return throttle.count_guess(session, lock, subject, now=now)
    except TooManyRequests as refusal:
        minutes = -(-(refusal.retry_after_s or 60) // 60)
        text = Sentence(
            "Too many wrong PINs. Try again in %(minutes)s min, or sign in with the password.", minutes=minutes
        )
        raise TooManyRequests("pin_locked", text, retry_after_s=refusal.retry_after_s) from None


def _subjects(guess: Guess) -> tuple[tuple[throttle.Lock, str], ...]:
    """Counted even if nobody has that id; what is shaped like none is not kept."""
    who = f"staff:{guess.staff if PUBLIC_ID.fullmatch(guess.staff) else 'unknown'}"
    return (
        (AT_TILL, f"{who} terminal:{guess.terminal}"),
        (AT_TERMINAL, f"terminal:{guess.terminal}"),
        (IN_A_DAY, who),
    )


def _forgive(session: Session, guess: Guess) -> None:
    for lock, subject in _subjects(guess):
        throttle.forgive(session, lock, subject)


def _holder(session: Session, guess: Guess) -> tuple[Staff | None, str]:
    """The person, if they may stand there in that role, and their digest; an empty one matches nothing."""
    query = (
        select(Staff, StaffPin.digest)
        .join(StaffPin, StaffPin.staff_id == Staff.id)
        .where(
            Staff.public_id == guess.staff,
            Staff.active,
            Staff.role.in_((*guess.roles, rules.OWNER)),
            *_reaches(guess.place.programme_id, guess.place.store_id),
        )
    )
    found = session.execute(query).one_or_none() if PUBLIC_ID.fullmatch(guess.staff) else None
    return (found[0], found[1]) if found else (None, "")


def _reaches(programme_id: int, store_id: int | None) -> tuple[ColumnElement[bool], ...]:
    """Whose place this is: their own store, or any of their programme, or any at all."""
    programme = or_(Staff.programme_id.is_(None), Staff.programme_id == programme_id)
    return (programme, or_(Staff.store_id.is_(None), Staff.store_id == store_id))


def _shares(me: Staff) -> tuple[ColumnElement[bool], ...]:
    """Who may meet this person at a till."""
    clauses: list[ColumnElement[bool]] = []
    if me.programme_id is not None:
        clauses.append(or_(Staff.programme_id.is_(None), Staff.programme_id == me.programme_id))
    if me.store_id is not None:
        clauses.append(or_(Staff.store_id.is_(None), Staff.store_id == me.store_id))
    return tuple(clauses)
