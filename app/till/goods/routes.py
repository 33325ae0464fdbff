"""Scanning, unique codes, goods that are handed over, and goals, on the till's one screen."""

from typing import Any

from flask import Blueprint, make_response, redirect, request, session, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.errors import AppError
from app.i18n import page_language
from app.rewards import catalogue
from app.rewards import service as rewards
from app.rewards.models import Reward
from app.staff import rules
from app.staff.guards import requires
from app.till import desk
from app.till.desk import Desk
from app.till.drawing import Asked
from app.till.goods import actions
from app.till.goods.forms import CodeForm, CollectForm, GoalForm
from app.till.routes import Told, answer, by_script, do, look_up, show
from app.web import world

blueprint = Blueprint("till_goods", __name__, url_prefix="/till")


@blueprint.post("/scan")
@requires(*rules.TILL)
def scan() -> AnyResponse:
    """Open the card that was scanned or typed, or the return of the sale whose receipt it was; use the unique code that
    it was for the card that is open, or keep it for the next one."""
    text, serial = request.form.get("code", ""), request.form.get("card", "")
    try:
        found = look_up(text)
    except AppError as refusal:
        return show(Asked(refusal=refusal))
    if found.code:
        return _use(serial, text) if serial else _keep(text)
    if found.sale:
        return answer(Asked(returning=found.sale), url_for("till.returns_sale", entry_id=found.sale))
    if found.is_gift:
        return _leave_for(url_for("till_value.card", serial=found.serial))
    return answer(Asked(serial=found.serial), url_for("till.card", serial=found.serial))


@blueprint.post("/cards/<serial>/code")
@requires(*rules.TILL)
def code(serial: str) -> AnyResponse:
    """Use a unique code for this card. Wrong ones count as wrong card codes do."""
    text = request.form.get("code", "")
    try:
        found = look_up(text)
    except AppError as refusal:
        return show(Asked(serial=serial, refusal=actions.of_code(refusal), typed=request.form))
    if not found.code:
        return show(Asked(serial=serial, refusal=actions.no_code(), typed=request.form))
    return _use(serial, text)


@blueprint.post("/code/forget")
@requires(*rules.TILL)
def forget_code() -> AnyResponse:
    """Let the code that waits for a card wait no longer; it can be scanned again."""
    session.pop("till_code", None)
    serial = request.form.get("card", "")
    if serial:
        return answer(Asked(serial=serial), url_for("till.card", serial=serial))
    return answer(Asked(), url_for("till.waiting"))


@blueprint.post("/cards/<serial>/collect")
@requires(*rules.TILL)
def collect(serial: str) -> AnyResponse:
    """Hand over what was taken before."""

    def work(writing: Session, here: Desk) -> Told:
        booking = actions.collect(writing, here, serial, CollectForm.parse(request.form), now=world().clock())
        reward = writing.get_one(Reward, rewards.taking_by_public_id(writing, booking).reward_id)
        title = catalogue.name_in(reward, page_language())
        return Told(text=str(gettext("Handed over: %(title)s", title=title)))

    return do(work, Asked(serial=serial))


@blueprint.post("/cards/<serial>/goal")
@requires(*rules.TILL)
def goal(serial: str) -> AnyResponse:
    """Let the card save for a reward, or for nothing in particular."""

    def work(writing: Session, here: Desk) -> Told:
        form = GoalForm.parse(request.form)
        actions.choose_goal(writing, here, serial, form, now=world().clock())
        if form.reward is None:
            return Told(text=str(gettext("The card saves for nothing in particular")))
        reward = catalogue.by_public_id(writing, here.programme.id, form.reward)
        return Told(
            text=str(gettext("The card saves for: %(title)s", title=catalogue.name_in(reward, page_language())))
        )

    return do(work, Asked(serial=serial))


def _use(serial: str, text: str) -> AnyResponse:
    def work(writing: Session, here: Desk) -> str:
        form = CodeForm.parse({**request.form, "code": text}, here.programme)
        entry_id = actions.use_code(writing, here, serial, form, now=world().clock())
        session.pop("till_code", None)
        return entry_id

    return do(work, Asked(serial=serial), stays=True)


def _keep(text: str) -> AnyResponse:
    """A code needs a card: it waits for the next one, ten minutes at most."""
    now = world().clock()
    try:
        with world().database.reading() as reading:
            actions.usable_code(reading, desk.standing(reading), text, now=now)
    except AppError as refusal:
        return show(Asked(refusal=refusal))
    kept: dict[str, Any] = {"code": text.strip(), "at": int(now.timestamp())}
    session["till_code"] = kept
    return answer(Asked(), url_for("till.waiting"))


def _leave_for(address: str) -> AnyResponse:
    """Go from the till's screen to another page."""
    if not by_script():
        return redirect(address, code=303)
    empty = make_response("", 200)
    empty.headers["X-Till-Go"] = address
    return empty
