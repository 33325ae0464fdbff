"""Signing in, signing out, and one's own account."""

import base64
import binascii

import segno
from flask import Blueprint, Flask, Response, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.clock import milliseconds
from app.errors import AppError, ConfigurationError
from app.i18n import LANGUAGES, NAMES
from app.staff import guards, pins, rules, service, sign_in
from app.staff.guards import current_staff, requires, signed_in
from app.staff.models import Staff
from app.staff.words import sentence
from app.web import world

CODE_WAIT_MS = 5 * 60 * 1000

blueprint = Blueprint("staff", __name__)


def install(app: Flask) -> None:
    """Add the sign-in machinery and this room's pages."""
    guards.install(app)
    app.register_blueprint(blueprint)


@blueprint.get("/login")
def login() -> AnyResponse:
    """The sign-in page; people who are signed in already are sent on."""
    me = signed_in()
    if me is not None and not me.by_pin:
        return redirect(_way_on(me.role), code=303)
    return _login_page()


@blueprint.post("/login")
def login_submit() -> AnyResponse:
    attempt = sign_in.Attempt(
        email=request.form.get("email", ""), password=request.form.get("password", ""), address=_address()
    )
    try:
        staff = sign_in.check_password(world(), attempt)
    except AppError as problem:
        return _login_page(problem, email=attempt.email)
    if staff.totp_sealed is not None:
        session["waiting_for_code"] = {"id": staff.id, "since_ms": milliseconds(world().clock())}
        return redirect(url_for("staff.code", next=_asked_for()), code=303)
    guards.start_session(staff)
    return redirect(_way_on(staff.role), code=303)


@blueprint.get("/login/code")
def code() -> AnyResponse:
    """The second step for those who use an authenticator app."""
    if _waiting_id() is None:
        return redirect(url_for("staff.login", next=_asked_for()), code=303)
    return _code_page()


@blueprint.post("/login/code")
def code_submit() -> AnyResponse:
    staff_id = _waiting_id()
    if staff_id is None:
        return redirect(url_for("staff.login", next=_asked_for()), code=303)
    try:
        staff = sign_in.check_code(world(), staff_id, request.form.get("code", ""), address=_address())
    except AppError as problem:
        return _code_page(problem)
    guards.start_session(staff)
    return redirect(_way_on(staff.role), code=303)


@blueprint.post("/logout")
def logout() -> AnyResponse:
    """A copy of the cookie must not outlive this, so all of the person's sessions end, and the till's opener's too."""
    me = signed_in()
    if me is not None:
        with world().database.unit_of_work() as writing:
            service.sign_out(writing, me.id)
            opener = service.by_public_id(writing, guards.opened_by() or "") if me.by_pin else None
            if opener is not None and opener.id != me.id:
                service.sign_out(writing, opener.id)
    guards.end_session()
    return redirect(url_for("staff.login", next=_asked_for()), code=303)


@blueprint.get("/account")
@requires()
def account() -> AnyResponse:
    return _account_page()


@blueprint.post("/account/language")
@requires()
def language() -> AnyResponse:
    choice = request.form.get("language", "")
    if choice not in LANGUAGES:
        return _account_page(errors={"language": gettext("Choose one of the languages in the list.")})
    with world().database.unit_of_work() as writing:
        _me(writing).language = choice
    session["language"] = choice
    return redirect(url_for("staff.account"), code=303)


@blueprint.post("/account/password")
@requires()
def password() -> AnyResponse:
    old, new = request.form.get("old", ""), request.form.get("new", "")
    if new != request.form.get("again", ""):
        return _account_page(errors={"again": gettext("The two new passwords differ. Type the new one twice.")})
    try:
        with world().database.unit_of_work() as writing:
            me = _me(writing)
            service.change_password(writing, me, old=old, new=new, now=world().clock())
    except AppError as problem:
        return _account_page(errors={name: sentence(problem) for name in problem.errors})
    guards.start_session(me)
    flash(gettext("Your password is changed. Every other session of yours has ended."), "good")
    return redirect(url_for("staff.account"), code=303)


@blueprint.post("/account/pin")
@requires()
def pin() -> AnyResponse:
    """Set the PIN, or take it away."""
    form, me = request.form, current_staff()
    if form.get("act") == "remove":
        with world().database.unit_of_work() as writing:
            pins.take_away(writing, _me(writing), actor=me.actor, now=world().clock())
        flash(gettext("Your PIN is gone. The till is opened with your password."), "good")
        return redirect(url_for("staff.account", _anchor="pin"), code=303)
    try:
        pins.set_own(world(), me.id, form.get("pin", ""), password=form.get("pin_password", ""))
    except AppError as problem:
        return _account_page(errors={name: sentence(problem) for name in problem.errors or ["pin"]})
    flash(gettext("Your PIN is set. Press F10 at the till to take over."), "good")
    return redirect(url_for("staff.account", _anchor="pin"), code=303)


@blueprint.post("/account/authenticator")
@requires()
def authenticator() -> AnyResponse:
    """Show the QR code of a new secret; nothing is in force until its first code was typed."""
    sealed = world().vault.seal(service.new_totp_secret().encode())
    session["totp_draft"] = base64.urlsafe_b64encode(sealed).decode()
    return redirect(url_for("staff.account", _anchor="authenticator"), code=303)


@blueprint.post("/account/authenticator/on")
@requires()
def authenticator_on() -> AnyResponse:
    secret = _totp_draft()
    if secret is None:
        return redirect(url_for("staff.account", _anchor="authenticator"), code=303)
    try:
        with world().database.unit_of_work() as writing:
            service.turn_on_totp(writing, _me(writing), secret, request.form.get("code", ""), now=world().clock())
    except AppError:
        text = gettext("The code does not match. Check the phone's clock and type the six digits shown now.")
        return _account_page(errors={"code": text})
    session.pop("totp_draft", None)
    flash(gettext("From now on signing in asks for a code from your authenticator app."), "good")
    return redirect(url_for("staff.account"), code=303)


@blueprint.post("/account/authenticator/off")
@requires()
def authenticator_off() -> AnyResponse:
    try:
        with world().database.unit_of_work() as writing:
            given = request.form.get("password", "")
            service.turn_off_totp(writing, _me(writing), password=given, now=world().clock())
    except AppError as problem:
        return _account_page(errors={name: sentence(problem) for name in problem.errors})
    flash(gettext("Signing in asks for your password alone again."), "good")
    return redirect(url_for("staff.account"), code=303)


def _login_page(problem: AppError | None = None, *, email: str = "") -> Response:
    text = sentence(problem) if problem else ""
    page = make_response(render_template("staff/login.html", email=email[:254], problem=text, next=_asked_for()))
    return _with_status(page, problem)


def _code_page(problem: AppError | None = None) -> Response:
    text = sentence(problem) if problem else ""
    return _with_status(make_response(render_template("staff/code.html", problem=text, next=_asked_for())), problem)


def _account_page(*, errors: dict[str, str] | None = None) -> Response:
    me = current_staff()
    secret = None if me.has_totp else _totp_draft()
    qr = (
        segno.make(service.totp_address(secret, me.email), error="m").svg_inline(border=4, omitsize=True)
        if secret
        else ""
    )
    with world().database.reading() as reading:
        has_pin = pins.has_pin(reading, me.id)
    groups = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4)) if secret else ""
    page = render_template(
        "staff/account.html",
        staff=me,
        errors=errors or {},
        languages=[(tag, NAMES[tag]) for tag in LANGUAGES],
        secret=groups,
        qr=qr,
        home=rules.home(me.role),
        has_pin=has_pin,
        takes_pin=rules.may(me.role, rules.TILL),
    )
    return make_response(page, 422 if errors else 200)


def _qr_svg(text: str) -> str:
    """Sized by the stylesheet, hence without width and height of its own."""
    return str(segno.make(text, error="m").svg_inline(border=4, omitsize=True))


def _with_status(page: Response, problem: AppError | None) -> Response:
    if problem is not None:
        page.status_code = problem.status
        if problem.retry_after_s is not None:
            page.headers["Retry-After"] = str(problem.retry_after_s)
    return page


def _asked_for() -> str | None:
    return rules.safe_next(request.values.get("next"))


def _way_on(role: str) -> str:
    return _asked_for() or rules.home(role)


def _address() -> str:
    return request.remote_addr or "unknown"


def _waiting_id() -> int | None:
    waiting = session.get("waiting_for_code")
    if not waiting or milliseconds(world().clock()) - waiting["since_ms"] > CODE_WAIT_MS:
        return None
    return int(waiting["id"])


def _totp_draft() -> str | None:
    """The secret on its way into an authenticator app; sealed, because the cookie is signed but readable."""
    try:
        return world().vault.open(base64.urlsafe_b64decode(session.get("totp_draft") or "")).decode()
    except (binascii.Error, ConfigurationError):
        return None


def _me(writing: Session) -> Staff:
    me = writing.get(Staff, current_staff().id)
    if me is None:
        raise LookupError("a signed-in person has no row")
    return me
