"""Who is signed in, and whether they may be here. Flask-Login keeps the session; this decides."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import flask_login
from flask import Flask, redirect, request, session, url_for
from sqlalchemy import select

from app.clock import milliseconds
from app.errors import Forbidden, Unauthorised
from app.staff import audit, rules
from app.staff.models import ROLES, Staff
from app.web import world

P = ParamSpec("P")
R = TypeVar("R")

SHIFT = timedelta(hours=14)
KEPT_AT_SIGN_IN = ("language", "terminal")
KEPT_AT_SWITCH = ("terminal", "opened")
BY_PIN = "pin"
# A till that was opened with a password can be switched for a long day, however busy it is.
HELD_MS = 16 * 3600 * 1000


@dataclass(frozen=True, kw_only=True)
class StaffIdentity:
    """The person of this request, as plain values. `by_pin`: known by a PIN, hence at the till only."""

    id: int
    public_id: str
    name: str
    email: str
    role: str
    programme_id: int | None
    store_id: int | None
    language: str
    has_totp: bool
    session_epoch: int
    by_pin: bool = False

    @property
    def actor(self) -> str:
        """How the ledger and the audit log name this person."""
        return f"staff:{self.public_id}"

    def may(self, *roles: str) -> bool:
        return rules.may(self.role, roles)


class SignedIn(flask_login.UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    """What Flask-Login keeps; the id names the session's epoch, so a new password ends old sessions."""

    def __init__(self, identity: StaffIdentity) -> None:
        self.identity = identity

    def get_id(self) -> str:
        known = f"{self.identity.public_id}:{self.identity.session_epoch}"
        return f"{known}:{BY_PIN}" if self.identity.by_pin else known


def install(app: Flask) -> None:
    """Keep people signed in for a shift; `app.web` fixes how the cookie may travel."""
    app.config["PERMANENT_SESSION_LIFETIME"] = SHIFT
    manager = flask_login.LoginManager()
    manager.user_loader(_load)
    manager.init_app(app)
    app.context_processor(_for_templates)


def signed_in() -> StaffIdentity | None:
    """The person of this request, or None."""
    user = flask_login.current_user
    return user.identity if user.is_authenticated else None


def current_staff() -> StaffIdentity:
    """The person of this request; only for views behind `requires`.

    Raises: Unauthorised `signed_out`.
    """
    identity = signed_in()
    if identity is None:
        raise Unauthorised("signed_out", "Your session has ended. Sign in again.")
    return identity


def requires(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only these roles (and the owner) into a view; without roles, everyone who is signed in.

    Pages send strangers to the sign-in page; the rest answer 401. A role too small is 403 and a line in the audit log.
    A person who is known by a PIN alone may use the till; everything else asks for the password.
    """
    if not set(roles) <= set(ROLES):
        raise ValueError(f"unknown role among {roles}")

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            identity = signed_in()
            if identity is None or (identity.by_pin and not _is_till(request.path)):
                return cast("R", _ask_to_sign_in(identity))
            if not rules.may(identity.role, roles):
                _refuse(identity)
            return view(*args, **kwargs)

        guarded.allowed_roles = roles  # type: ignore[attr-defined]  # read by the test that lists every route
        return guarded

    return guard


def start_session(staff: Staff) -> None:
    """Sign a person in, in a new session that keeps nothing of the stranger's but the language and the terminal."""
    kept = {name: session[name] for name in KEPT_AT_SIGN_IN if name in session}
    session.clear()
    opened = {
        "by": staff.public_id, "epoch": staff.session_epoch, "at_ms": milliseconds(world().clock())
    }  # fmt: skip
    session.update({"language": staff.language, **kept, "opened": opened})
    session.permanent = True
    flask_login.login_user(SignedIn(identity_of(staff)))


def switch_to(staff: Staff, place: dict[str, Any]) -> None:
    """Let another person take over this till at *place*: nothing else of the former person's stays."""
    kept = {name: session[name] for name in KEPT_AT_SWITCH if name in session}
    session.clear()
    session.update({**kept, "language": staff.language, "till_place": place})
    session.permanent = True
    flask_login.login_user(SignedIn(identity_of(staff, by_pin=True)))


def opened_by() -> str | None:
    """Who opened this till with a password, if that was less than `HELD_MS` ago and they have not signed out."""
    opened = session.get("opened")
    if not opened or milliseconds(world().clock()) - opened["at_ms"] > HELD_MS:
        return None
    return str(opened["by"])


def terminal() -> str:
    """This browser's name for itself; it outlives sign-ins, so that wrong tries go on counting."""
    if "terminal" not in session:
        session["terminal"] = secrets.token_hex(8)
    return str(session["terminal"])


def till_place() -> dict[str, Any] | None:
    """Where this till stands, as it was chosen."""
    place: dict[str, Any] | None = session.get("till_place")
    return place


def end_session() -> None:
    """Sign out; the terminal stays known, so that its wrong tries go on counting."""
    kept = {name: session[name] for name in KEPT_AT_SIGN_IN if name in session}
    flask_login.logout_user()
    session.clear()
    session.update(kept)


def identity_of(staff: Staff, *, by_pin: bool = False) -> StaffIdentity:
    """A person's row as plain values."""
    return StaffIdentity(
        id=staff.id,
        public_id=staff.public_id,
        name=staff.name,
        email=staff.email,
        role=staff.role,
        programme_id=staff.programme_id,
        store_id=staff.store_id,
        language=staff.language,
        has_totp=staff.totp_sealed is not None,
        session_epoch=staff.session_epoch,
        by_pin=by_pin,
    )


def _load(user_id: str) -> SignedIn | None:
    """The person whose session this is. A till that was switched ends with the session of the person who opened it."""
    name, _, rest = user_id.partition(":")
    epoch, _, way = rest.partition(":")
    opener = opened_by() if way == BY_PIN else name
    if opener is None:
        return None
    wanted = select(Staff).where(Staff.public_id.in_({name, opener}), Staff.active)
    with world().database.reading() as reading:
        found = {one.public_id: one for one in reading.scalars(wanted)}
    staff = found.get(name)
    if staff is None or str(staff.session_epoch) != epoch:
        return None
    if way == BY_PIN and (opener not in found or found[opener].session_epoch != session["opened"]["epoch"]):
        return None
    return SignedIn(identity_of(staff, by_pin=way == BY_PIN))


def _is_till(path: str) -> bool:
    return path == "/till" or path.startswith("/till/")


def _ask_to_sign_in(identity: StaffIdentity | None) -> Any:
    if identity is not None and request.headers.get("X-Requested-With") == "fetch":
        raise Unauthorised("password_needed", "A PIN opens the till alone. Sign in with your password for this.")
    if request.headers.get("X-Requested-With") == "fetch":
        raise Unauthorised("signed_out", "Your session has ended. Sign in again.")
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("staff.login", next=back), code=303)


def _refuse(identity: StaffIdentity) -> None:
    parts = world()
    subject = f"{request.method} {request.path}"
    with parts.database.unit_of_work() as writing:
        audit.record(writing, actor=identity.actor, action="forbidden", subject=subject, now=parts.clock())
    raise Forbidden("role_too_small", "Your role does not include this page. Ask the owner if you need it.")


def _for_templates() -> dict[str, Any]:
    return {"signed_in": signed_in}
