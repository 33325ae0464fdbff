"""Signing in: three short transactions, because a password takes 20 ms to check and tills must not wait for it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Unauthorised
from app.staff import audit, passwords, service, throttle
from app.staff.models import Staff
from app.world import World


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What somebody typed, and the network address it came from."""

    email: str
    password: str
    address: str


def check_password(world: World, attempt: Attempt) -> Staff:
    """The person whose e-mail address and password these are.

    An unknown address, a wrong password and an ended access give the same answer after the same work.

    Raises: TooManyRequests `slow_down`; Unauthorised `wrong_sign_in`.
    """
    now = world.clock()
    account = world.vault.blind(attempt.email.strip().lower())
    with world.database.unit_of_work() as session:
        throttle.count_try(session, throttle.ADDRESS, attempt.address, now=now)
        throttle.count_try(session, throttle.ACCOUNT, account, now=now)
    with world.database.reading() as session:
        staff = service.by_email(session, attempt.email)
    right = passwords.matches(staff.password_hash if staff else None, attempt.password[:1000])
    if staff is None or not right or not staff.active:
        _note_refusal(world, staff, now)
        raise Unauthorised("wrong_sign_in", "The e-mail address or the password is not right.")
    with world.database.unit_of_work() as session:
        throttle.take_back(session, throttle.ADDRESS, attempt.address)
        throttle.forget_old(session, now=now)
        if staff.totp_sealed is None:
            _welcome(session, staff, account, now)
    return staff


def check_code(world: World, staff_id: int, code: str, *, address: str) -> Staff:
    """The same person, after the authenticator code was right too. The account's tries go on counting until then.

    Raises: TooManyRequests `slow_down`; Unauthorised `wrong_code`.
    """
    now = world.clock()
    with world.database.unit_of_work() as session:
        staff = session.scalars(select(Staff).where(Staff.id == staff_id, Staff.active)).one_or_none()
        account = world.vault.blind(staff.email) if staff else ""
        throttle.count_try(session, throttle.ADDRESS, address, now=now)
        throttle.count_try(session, throttle.ACCOUNT, account, now=now)
    with world.database.unit_of_work() as session:
        if staff is not None and service.use_totp(session, staff, code, now=now):
            throttle.take_back(session, throttle.ADDRESS, address)
            _welcome(session, staff, account, now)
            return staff
    _note_refusal(world, staff, now)
    raise Unauthorised("wrong_code", "The code is not right, or was used already. Type the one shown now.")


def _welcome(session: Session, staff: Staff, account: str, now: datetime) -> None:
    throttle.forgive(session, throttle.ACCOUNT, account)
    me = f"staff:{staff.public_id}"
    audit.record(session, actor=me, action="signed_in", subject=me, now=now)


def _note_refusal(world: World, staff: Staff | None, now: datetime) -> None:
    """The typed address is not kept: people type passwords there."""
    subject = f"staff:{staff.public_id}" if staff else "staff:unknown"
    with world.database.unit_of_work() as session:
        audit.record(session, actor="nobody", action="sign_in_refused", subject=subject, now=now)
