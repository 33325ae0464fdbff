"""People who work here and keys that call the API: made, changed, ended."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyotp
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import rows_changed, table_of
from app.errors import NotFound, Unprocessable
from app.ids import public_id
from app.staff import audit, passwords, rules
from app.staff.models import ROLES, ApiKey, Staff
from app.vault import Vault

KEY_PREFIX = "tsk_"
TOTP_STEP_S = 30
_KEY = table_of(ApiKey)
_KEY_IN_FORCE = select(_KEY.c.public_id, _KEY.c.scope, _KEY.c.programme_id).where(
    _KEY.c.digest == bindparam("digest"), _KEY.c.revoked_at.is_(None)
)


class HasId(Protocol):
    """A programme, as this room sees it."""

    @property
    def id(self) -> int: ...


class StoreLike(HasId, Protocol):
    """A store, as this room sees it."""

    @property
    def programme_id(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class KeyInForce:
    """An integrator's key that has not been revoked; `programme_id` None: every programme."""

    public_id: str
    scope: str
    programme_id: int | None


def add_staff(
    session: Session,
    *,
    email: str,
    name: str,
    role: str,
    password: str,
    programme: HasId | None = None,
    store: StoreLike | None = None,
    language: str = "en",
    actor: str = "cli",
    now: datetime,
) -> Staff:
    """Add a person who may sign in. A store narrows the person to it and to its programme.

    Raises: Unprocessable with `errors` by field: email (`invalid_email`, `email_taken`), name, role, password
        (a code of `rules.PASSWORD_PROBLEMS`), store.
    """
    address = normal_email(email)
    problem = rules.password_problem(password, address)
    if problem:
        raise _refused(problem, "password", rules.PASSWORD_PROBLEMS[problem])
    if not rules.is_role(role):
        raise _refused("unknown_role", "role", f"The role must be one of {', '.join(ROLES)}.")
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise _refused("invalid_name", "name", "Write a name of 1 to 100 characters.")
    if store and programme and store.programme_id != programme.id:
        raise _refused("foreign_store", "store", "The store belongs to another programme.")
    staff = Staff(
        public_id=public_id("sta"),
        email=address,
        name=name.strip(),
        role=role,
        password_hash=passwords.hashed(password),
        language=language,
        programme_id=store.programme_id if store else programme.id if programme else None,
        store_id=store.id if store else None,
        created_at=now,
    )
    _insert(session, staff)
    after = {"role": role, "programme_id": staff.programme_id, "store_id": staff.store_id}
    audit.record(session, actor=actor, action="staff_added", subject=f"staff:{staff.public_id}", after=after, now=now)
    return staff


def by_email(session: Session, email: str) -> Staff | None:
    """The person with that address, active or not."""
    if not email.isprintable():
        return None
    return session.scalars(select(Staff).where(Staff.email == email.strip().lower())).one_or_none()


def by_public_id(session: Session, public_id: str) -> Staff | None:
    """The person with that id, active or not."""
    return session.scalars(select(Staff).where(Staff.public_id == public_id)).one_or_none()


def normal_email(email: str) -> str:
    """The address as it is stored: checked for form and in small letters.

    Raises: Unprocessable `invalid_email`.
    """
    try:
        # Shops use names such as till1@kadikoy: they are for signing in, nothing is sent to them.
        checked = validate_email(email.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        text = "Write the e-mail address as name@example.com."
        raise _refused("invalid_email", "email", text) from None
    return checked.normalized.lower()


def change_password(session: Session, staff: Staff, *, old: str, new: str, now: datetime) -> None:
    """Replace a person's password; every session that is open ends, this one too.

    Raises: Unprocessable with `errors` for `old` or `new`.
    """
    session.refresh(staff, with_for_update=True)  # of two changes at once the second must know the first's password
    if not passwords.matches(staff.password_hash, old):
        raise _refused("wrong_password", "old", "This is not your present password.")
    problem = rules.password_problem(new, staff.email)
    if problem:
        raise _refused(problem, "new", rules.PASSWORD_PROBLEMS[problem])
    staff.password_hash = passwords.hashed(new)
    staff.session_epoch += 1
    me = f"staff:{staff.public_id}"
    audit.record(session, actor=me, action="password_changed", subject=me, now=now)


def sign_out(session: Session, staff_id: int) -> None:
    """End every open session of a person."""
    session.execute(update(Staff).where(Staff.id == staff_id).values(session_epoch=Staff.session_epoch + 1))


def deactivate(session: Session, staff: Staff, *, actor: str, now: datetime) -> None:
    """End a person's access at once; what they did stays theirs."""
    session.refresh(staff, with_for_update=True)
    staff.active = False
    staff.session_epoch += 1
    audit.record(session, actor=actor, action="staff_deactivated", subject=f"staff:{staff.public_id}", now=now)


def new_totp_secret() -> str:
    """A secret for an authenticator app, in base 32, that is not in force until `turn_on_totp`."""
    return pyotp.random_base32()


def totp_address(secret: str, email: str) -> str:
    """The otpauth:// address that an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Tessera")


def turn_on_totp(session: Session, staff: Staff, secret: str, code: str, *, now: datetime) -> None:
    """From now on signing in asks for a code of the app that knows *secret*; *code* proves that it does.

    Raises: Unprocessable `wrong_code`.
    """
    step = _matching_step(secret, code, now)
    if step is None:
        text = "The code does not match. Check the phone's clock and type the six digits shown now."
        raise _refused("wrong_code", "code", text)
    staff.totp_sealed = _seal_totp(session, secret, step)
    me = f"staff:{staff.public_id}"
    audit.record(session, actor=me, action="totp_turned_on", subject=me, now=now)


def turn_off_totp(session: Session, staff: Staff, *, password: str, now: datetime) -> None:
    """Sign in by password alone again.

    Raises: Unprocessable `wrong_password`.
    """
    if not passwords.matches(staff.password_hash, password):
        raise _refused("wrong_password", "password", "This is not your present password.")
    staff.totp_sealed = None
    me = f"staff:{staff.public_id}"
    audit.record(session, actor=me, action="totp_turned_off", subject=me, now=now)


def use_totp(session: Session, staff: Staff, code: str, *, now: datetime) -> bool:
    """Whether *code* is right now and was not used before; a right code is used up."""
    sealed = staff.totp_sealed
    if sealed is None:
        return False
    known = json.loads(_vault(session).open(sealed))
    step = _matching_step(known["secret"], code, now)
    if step is None or step <= known["step"]:
        return False
    fresh = _seal_totp(session, known["secret"], step)
    unused = update(Staff).where(Staff.id == staff.id, Staff.totp_sealed == sealed).values(totp_sealed=fresh)
    return rows_changed(session, unused) == 1


def create_key(
    session: Session, name: str, scope: str, programme_id: int | None, now: datetime, *, actor: str = "cli"
) -> tuple[ApiKey, str]:
    """Make an integrator's key; its text is returned once and kept nowhere (only its SHA-256 is).

    Raises: Unprocessable with `errors` for name or scope.
    """
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise _refused("invalid_name", "name", "Name the key after its user: 1 to 100 characters.")
    if scope not in rules.SCOPES:
        raise _refused("unknown_scope", "scope", f"The scope must be one of {', '.join(rules.SCOPES)}.")
    text = KEY_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(30)).decode()
    key = ApiKey(
        public_id=public_id("key"),
        name=name.strip(),
        scope=scope,
        digest=_digest(text),
        programme_id=programme_id,
        created_at=now,
    )
    session.add(key)
    session.flush()
    subject = f"key:{key.public_id}"
    after = {"scope": scope, "programme_id": programme_id}
    audit.record(session, actor=actor, action="key_created", subject=subject, after=after, now=now)
    return key, text


def key_by_text(session: Session, text: str) -> KeyInForce | None:
    """The key in force with that text. Looked up by digest, so timing tells nothing about other keys."""
    if not text.startswith(KEY_PREFIX) or len(text) > 100 or not text.isascii():
        return None
    row = session.execute(_KEY_IN_FORCE, {"digest": _digest(text)}).one_or_none()
    return None if row is None else KeyInForce(**row._mapping)


def keys(session: Session) -> list[ApiKey]:
    """All keys, the newest first, revoked ones too."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.id.desc())))


def revoke_key(session: Session, key_id: str, *, actor: str = "cli", now: datetime) -> ApiKey:
    """End a key at once. Revoking it again changes nothing.

    Raises: NotFound `unknown_key`.
    """
    key = session.scalars(select(ApiKey).where(ApiKey.public_id == key_id)).one_or_none()
    if key is None:
        raise NotFound("unknown_key", "There is no key with this id; list the keys to see their ids.")
    if key.revoked_at is None:
        key.revoked_at = now
        audit.record(session, actor=actor, action="key_revoked", subject=f"key:{key.public_id}", now=now)
    return key


def _insert(session: Session, staff: Staff) -> None:
    try:
        with session.begin_nested():
            session.add(staff)
    except IntegrityError:
        text = "Someone with this e-mail address is here already."
        raise _refused("email_taken", "email", text) from None


def _matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step of a code that is right now, or was or will be within half a minute."""
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) == 6):
        return None
    at_s = int(now.timestamp())
    for moment_s in (at_s, at_s - TOTP_STEP_S, at_s + TOTP_STEP_S):
        if pyotp.TOTP(secret).verify(digits, for_time=moment_s):
            return moment_s // TOTP_STEP_S
    return None


def _seal_totp(session: Session, secret: str, step: int) -> bytes:
    return _vault(session).seal(json.dumps({"secret": secret, "step": step}).encode())


def _vault(session: Session) -> Vault:
    vault: Vault = session.info["vault"]
    return vault


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(code: str, field: str, text: str) -> Unprocessable:
    return Unprocessable(code, text, errors={field: text})
