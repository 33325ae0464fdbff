"""The till's one screen. Every action is a form; a script may send it and gets the same screen as a fragment."""

import dataclasses
from collections.abc import Callable
from typing import Any

from flask import Blueprint, jsonify, make_response, redirect, render_template, request, session, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import failpoints, money
from app.errors import AppError, NotFound, Unprocessable
from app.i18n import page_language
from app.staff import audit, rules, throttle
from app.staff.guards import current_staff, requires, terminal
from app.till import actions, desk, finding
from app.till.amounts import Ambiguous
from app.till.decode import code_in
from app.till.desk import Desk
from app.till.drawing import Asked, draw
from app.till.finding import Found
from app.till.forms import EarnForm, HoldForm, MoveForm, RedeemForm, StampForm, UndoForm, receipt_of
from app.till.goods import deals
from app.till.people import approvals
from app.till.returning import ReturnForm
from app.till.rules import FRAME_BYTES, WRONG_CODES
from app.till.screen import Question, Screen
from app.web import world


@dataclasses.dataclass(frozen=True, kw_only=True)
class Told:
    """What was done without any entry, as a sentence."""

    text: str


Work = Callable[[Session, Desk], str | Question | Told]
CODE_KEPT_S = 600
ASKS_CASHIER = {"leaves_deficit", "basket_needed"}
ASKS_MANAGER = {"needs_manager", "wrong_pin", "pin_locked"}

blueprint = Blueprint("till", __name__, url_prefix="/till")


@blueprint.get("", strict_slashes=False)
@requires(*rules.TILL)
def waiting() -> AnyResponse:
    """Waiting for a card, with what was done last."""
    return show(Asked(done=request.args.get("done")))


@blueprint.get("/cards/<serial>")
@requires(*rules.TILL)
def card(serial: str) -> AnyResponse:
    """A customer's card, open, with what was done with it last."""
    if _is_gift(serial):
        return redirect(url_for("till_value.card", serial=serial), code=303)
    return show(Asked(serial=serial, done=request.args.get("done"), told=session.pop("till_told", "")))


@blueprint.post("/cards/<serial>/earn")
@requires(*rules.TILL)
def earn(serial: str) -> AnyResponse:
    def work(writing: Session, here: Desk) -> str | Question:
        form = EarnForm.parse(request.form, here.programme)
        if isinstance(form.amount, Ambiguous):
            return _which_amount(form.amount, here)
        deal = deals.proposed(writing, here, serial, form, language=page_language(), now=world().clock())
        if deal is not None:
            return Question(kind="discount", deal=deal, key=form.key)
        return actions.earn(writing, here, serial, form, now=world().clock())

    return do(work, Asked(serial=serial))


@blueprint.post("/cards/<serial>/redeem")
@requires(*rules.TILL)
def redeem(serial: str) -> AnyResponse:
    def work(writing: Session, here: Desk) -> str:
        form = RedeemForm.parse(request.form, here.programme)
        return actions.redeem(writing, here, serial, form, now=world().clock())

    return do(work, Asked(serial=serial), stays=True)


@blueprint.post("/cards/<serial>/hold")
@requires(*rules.TILL)
def end_hold(serial: str) -> AnyResponse:
    def work(writing: Session, here: Desk) -> str:
        return actions.end_hold(writing, here, serial, HoldForm.parse(request.form), now=world().clock())

    return do(work, Asked(serial=serial), stays=True)


@blueprint.post("/cards/<serial>/stamp")
@requires(*rules.TILL)
def stamp(serial: str) -> AnyResponse:
    def work(writing: Session, here: Desk) -> str:
        return actions.stamp(writing, here, serial, StampForm.parse(request.form), now=world().clock())

    return do(work, Asked(serial=serial), stays=True)


@blueprint.post("/undo")
@requires(*rules.TILL)
def undo() -> AnyResponse:
    def work(writing: Session, here: Desk) -> str:
        return actions.undo(writing, here, UndoForm.parse(request.form), now=world().clock())

    return do(work, Asked())


@blueprint.post("/cards/<serial>/move")
@requires(*rules.TILL)
def move(serial: str) -> AnyResponse:
    """Move a purchase that was booked on this card to the customer's own."""

    def work(writing: Session, here: Desk) -> str:
        return actions.move(writing, here, MoveForm.parse(request.form), now=world().clock())

    return do(work, Asked(serial=serial))


@blueprint.get("/returns")
@requires(*rules.TILL)
def returns() -> AnyResponse:
    """Ask for the receipt of what comes back."""
    return show(Asked(returning="", serial=request.args.get("card")))


@blueprint.post("/returns")
@requires(*rules.TILL)
def returns_find() -> AnyResponse:
    """Open the sale with that receipt number."""
    serial = request.form.get("card", "")
    try:
        with world().database.reading() as reading:
            sale = finding.sale_of(reading, desk.standing(reading), receipt_of(request.form), serial=serial)
    except AppError as refusal:
        return show(Asked(returning="", serial=serial or None, refusal=refusal, typed=request.form))
    return answer(Asked(returning=sale.id), url_for("till.returns_sale", entry_id=sale.id))


@blueprint.get("/returns/<entry_id>")
@requires(*rules.TILL)
def returns_sale(entry_id: str) -> AnyResponse:
    """A sale, line by line, to choose what comes back."""
    return show(Asked(returning=entry_id))


@blueprint.post("/returns/<entry_id>")
@requires(*rules.TILL)
def returns_submit(entry_id: str) -> AnyResponse:
    """Show what goes with the pieces that were chosen, or take them back."""
    asked = Asked(returning=entry_id, typed=request.form)
    try:
        with world().database.reading() as reading:
            form = ReturnForm.parse(request.form, desk.standing(reading).programme.currency)
    except AppError as refusal:
        return show(dataclasses.replace(asked, refusal=refusal))
    asked = dataclasses.replace(asked, chosen=form)
    if form.act == "reckon":
        return show(asked)

    def work(writing: Session, here: Desk) -> str:
        return actions.take_back(writing, here, entry_id, form, now=world().clock())

    return do(work, asked)


@blueprint.post("/decode")
@requires(*rules.TILL)
def decode() -> AnyResponse:
    """Read the barcode of a camera frame: the picture is the body, the answer {"code": text or null}."""
    if (request.content_length or 0) > FRAME_BYTES:
        raise Unprocessable("picture_too_large", "Send a picture of at most 300 KB.")
    return jsonify(code=code_in(request.stream.read(FRAME_BYTES + 1)))


@blueprint.get("/store")
@requires(*rules.TILL)
def store() -> AnyResponse:
    """Choose where this till stands."""
    return _store_page()


@blueprint.post("/store")
@requires(*rules.TILL)
def store_submit() -> AnyResponse:
    wanted = request.form.get("place", "")
    with world().database.reading() as reading:
        for place in desk.places(reading, current_staff()):
            if _place_value(place) == wanted:
                session["till_place"] = dataclasses.asdict(place.choice)
                return redirect(url_for("till.waiting"), code=303)
    return _store_page(is_wrong=True)


def do(work: Work, asked: Asked, *, stays: bool = False) -> AnyResponse:
    """Run one action in one transaction and show its result, its question, or its refusal beside what was asked.

    A purchase is the last thing that is done with a card; after anything else the card *stays* open for it.
    """
    database, asked = world().database, dataclasses.replace(asked, typed=request.form)
    try:
        with database.reading() as reading:
            here = desk.standing(reading)  # before the transaction, in which others wait
        sent = approvals.Sent(address=request.path, fields=tuple(request.form.items(multi=True)))
        if sent.asks:
            approvals.grant(world(), here, sent, terminal())
        outcome = approvals.run(world(), here, sent, work)
    except AppError as refusal:
        if refusal.code in ASKS_CASHIER:
            return show(_asks(asked, refusal))
        if refusal.code == "needs_manager":
            _note("limit_hit", refusal)
        if refusal.code in ASKS_MANAGER:
            asked = dataclasses.replace(asked, approval=sent)
        return show(dataclasses.replace(asked, refusal=refusal))
    if isinstance(outcome, Question):
        return show(dataclasses.replace(asked, question=outcome))
    failpoints.reached("sale.committed")
    serial = asked.serial if stays else None
    if isinstance(outcome, Told):
        return _told(asked.serial or "", outcome.text)
    address = url_for("till.card", serial=serial, done=outcome) if serial else url_for("till.waiting", done=outcome)
    return answer(Asked(serial=serial, done=outcome), address)


def _how_much() -> Question:
    """What a reward takes off depends on the purchase: ask what it costs, and send the same form again with it."""
    kept = ((name, value) for name, value in request.form.items() if name not in {"csrf_token", "basket", "key"})
    return Question(kind="basket", address=request.path, fields=tuple(kept), key=request.form.get("key", ""))


def _told(serial: str, text: str) -> AnyResponse:
    if by_script():
        return show(Asked(serial=serial, told=text))
    session["till_told"] = text
    return redirect(url_for("till.card", serial=serial), code=303)


def _is_gift(serial: str) -> bool:
    with world().database.reading() as reading:
        try:
            return finding.card_at(reading, desk.standing(reading), serial).kind == "gift"
        except AppError:
            return False


def kept_code() -> str:
    """The unique code that was scanned before any card, and waits for one."""
    kept: dict[str, Any] = session.get("till_code") or {}
    is_fresh = world().clock().timestamp() - kept.get("at", 0) < CODE_KEPT_S
    return str(kept.get("code", "")) if is_fresh else ""


def _asks(asked: Asked, refusal: AppError) -> Asked:
    if refusal.code == "leaves_deficit":
        return _deficit_shown(asked, refusal)
    if request.form.get("basket"):  # it was typed, and cannot be read
        return dataclasses.replace(asked, refusal=refusal, question=_how_much())
    return dataclasses.replace(asked, question=_how_much())


def _deficit_shown(asked: Asked, refusal: AppError) -> Asked:
    """A return shows what the card would owe beside its button; an undo, which has no page of its own, asks."""
    if asked.returning is not None:
        return asked
    missing = int(refusal.errors["missing"])
    question = Question(  # the same key: a manager's approval is for it
        kind="deficit", entry_id=request.form.get("entry", ""), missing=missing, key=request.form.get("key", "")
    )
    return dataclasses.replace(asked, question=question)


def look_up(code: str) -> Found:
    """The card with that code, the sale, or the unique code. Wrong ones count for the terminal and for the person."""
    parts, now = world(), world().clock()
    subjects = (f"terminal:{terminal()}", current_staff().actor)
    try:
        with parts.database.reading() as reading:
            for subject in subjects:
                throttle.check_lock(reading, WRONG_CODES, subject, now=now)
            return finding.find(reading, desk.standing(reading), code)
    except NotFound as refusal:
        with parts.database.unit_of_work() as writing:
            counts = [throttle.count_failure(writing, WRONG_CODES, subject, now=now) for subject in subjects]
        if max(counts) >= WRONG_CODES.limit:
            _note("till_locked", refusal)
        raise


def show(asked: Asked) -> AnyResponse:
    """Draw the screen; a card that cannot be opened leaves the till waiting, with the reason."""
    parts, asked = world(), dataclasses.replace(asked, code=kept_code())
    with parts.database.reading() as reading:
        here = desk.chosen(reading)
        if here is None:
            return redirect(url_for("till.store"), code=303)
        can_move = len(desk.places(reading, here.who)) > 1
        drawn, refusal = draw(reading, here, asked, can_move=can_move, language=page_language(), now=parts.clock())
    return _rendered(drawn, refusal)


def _rendered(drawn: Screen, refusal: AppError | None) -> AnyResponse:
    template = "till/_screen.html" if by_script() else "till/screen.html"
    page = make_response(render_template(template, screen=drawn, staff=drawn.desk.who, path=_path(drawn)))
    page.headers["X-Till-Screen"] = "1"
    page.headers["Permissions-Policy"] = "camera=(self)"
    if refusal is not None:
        page.status_code = refusal.status
        if refusal.retry_after_s is not None:
            page.headers["Retry-After"] = str(refusal.retry_after_s)
    return page


def _path(drawn: Screen) -> str:
    """The address at which this screen can be opened again."""
    if drawn.returning is not None:
        if drawn.returning.entry_id:
            return url_for("till.returns_sale", entry_id=drawn.returning.entry_id)
        return url_for("till.returns", card=drawn.returning.serial or None)
    return (
        url_for("till.card", serial=drawn.serial) if drawn.serial else url_for("till.waiting", done=drawn.done or None)
    )


def answer(asked: Asked, address: str) -> AnyResponse:
    """A page is sent on, so that reloading repeats nothing; a script gets the next screen at once."""
    return show(asked) if by_script() else redirect(address, code=303)


def _which_amount(found: Ambiguous, here: Desk) -> Question:
    currency, language = here.programme.currency, page_language()
    readings = (found.as_thousands_minor, found.as_decimals_minor)
    return Question(kind="amount", amounts=tuple((minor, money.shown(minor, currency, language)) for minor in readings))


def _store_page(*, is_wrong: bool = False) -> AnyResponse:
    with world().database.reading() as reading:
        places = desk.places(reading, current_staff())
    choices = [(_place_value(one), one.programme.name, one.store.name if one.store else "") for one in places]
    page = render_template(
        "till/store.html", staff=current_staff(), choices=choices, several=_several(places), is_wrong=is_wrong
    )
    return make_response(page, 422 if is_wrong else 200)


def _several(places: list[Desk]) -> bool:
    return len({one.programme.id for one in places}) > 1


def _place_value(place: Desk) -> str:
    return place.store.public_id if place.store else place.programme.public_id


def by_script() -> bool:
    return request.headers.get("X-Requested-With") == "fetch"


def _note(action: str, refusal: AppError) -> None:
    who = current_staff().actor
    with world().database.unit_of_work() as writing:
        audit.record(writing, actor=who, action=action, subject=request.path, reason=refusal.code, now=world().clock())
