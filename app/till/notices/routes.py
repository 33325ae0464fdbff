"""What looks wrong at this store, and corrections of balances: a manager looks, decides, and corrects."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.cards import codes
from app.counter import adjusting
from app.counter.adjusting import Person, Wish
from app.errors import AppError, NotFound, Unprocessable
from app.fraud import service as fraud
from app.fraud import watching, words
from app.i18n import page_language
from app.ledger import service as ledger
from app.ledger.held import POINTS
from app.staff import audit, rules
from app.staff.guards import requires
from app.till import desk, finding
from app.till.desk import Desk
from app.till.words import sentence
from app.web import world

blueprint = Blueprint("till_notices", __name__, url_prefix="/till/notices")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A notice or a correction that waits, ready to print."""

    id: str
    title: str
    text: str
    card: str
    facts: str
    is_own: bool = False
    is_money: bool = False


@blueprint.get("", strict_slashes=False)
@requires(*rules.TILL_ABOVE_LIMIT)
def notices() -> AnyResponse:
    """What waits for this manager."""
    return _page()


@blueprint.post("/<notice_id>/dismiss")
@requires(*rules.TILL_ABOVE_LIMIT)
def dismiss(notice_id: str) -> AnyResponse:
    """Take a false alarm off the list, with the reason."""
    because, now = request.form.get("reason", ""), world().clock()

    def work(writing: Session, here: Desk) -> str:
        _check_here(writing, here, notice_id)
        who = here.who.actor
        done = fraud.dismiss(writing, here.programme.id, notice_id, because=because, by=who, now=now)
        audit.record(
            writing, actor=who, action="notice_dismissed", subject=f"notice:{done.public_id}",
            after={"kind": done.kind}, reason=because.strip(), now=now,
        )  # fmt: skip
        return str(gettext("The notice is dismissed; the reason is kept with it."))

    return _do(work, at=notice_id)


@blueprint.post("/corrections/<adjustment_id>/<verdict>")
@requires(*rules.TILL_ABOVE_LIMIT)
def decide(adjustment_id: str, verdict: str) -> AnyResponse:
    """Approve or refuse a correction that somebody else has asked for."""
    act = {"approve": adjusting.approve, "refuse": adjusting.refuse}.get(verdict)
    if act is None:
        raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")

    def work(writing: Session, here: Desk) -> str:
        found = adjusting.named(writing, adjustment_id)
        if found.programme_id != here.programme.id:
            raise NotFound("unknown_adjustment", "There is no such correction. Open the list again.")
        act(writing, found, _person(here), now=world().clock())
        said = gettext("The correction is booked.") if verdict == "approve" else gettext("The correction is refused.")
        return str(said)

    return _do(work, at=adjustment_id)


@blueprint.post("/corrections")
@requires(*rules.TILL_ABOVE_LIMIT)
def correct() -> AnyResponse:
    """Correct the points of a card, or leave it to a second person."""

    def work(writing: Session, here: Desk) -> str:
        serial = finding.find(writing, here, request.form.get("code", "")).serial
        asked = adjusting.ask(
            writing, finding.card_at(writing, here, serial), _wish(), _person(here), now=world().clock()
        )
        if asked.done is None:
            return str(gettext("The correction waits for a second person."))
        return str(gettext("The balance is corrected."))

    return _do(work, at="correct")


def _wish() -> Wish:
    typed = request.form.get("units", "").strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 10):
        raise Unprocessable("invalid_points", "A correction is a whole number above or below zero.")
    count = int(typed) * (-1 if request.form.get("direction") == "less" else 1)
    return Wish(unit=POINTS, units=count, reason=request.form.get("reason", ""))


def _do(work: Callable[[Session, Desk], str], *, at: str) -> AnyResponse:
    database = world().database
    try:
        with database.reading() as reading:
            here = desk.standing(reading)
        said = database.transact(lambda writing: work(writing, here))
    except AppError as refusal:
        return _page(refusal, at=at)
    flash(said, "good")
    return redirect(url_for("till_notices.notices"), code=303)


def _page(refusal: AppError | None = None, *, at: str = "") -> AnyResponse:
    with world().database.reading() as reading:
        here = desk.chosen(reading)
        if here is None:
            return redirect(url_for("till.store"), code=303)
        seen = watching.notices(reading, here.programme.id, store_id=here.choice.store_id)
        waiting = watching.corrections(reading, here.programme.id)
        actors = {one.notice.actor for one in seen} | {one.adjustment.asked_by for one in waiting}
        names = watching.names_of(reading, actors)
    page = render_template(
        "till/notices.html", staff=here.who, here=here, at=at, typed=request.form,
        notices=[_notice(one, here, names) for one in seen],
        corrections=[_correction(one, here, names) for one in waiting],
        refusal=sentence(refusal, here.programme.currency) if refusal else "",
    )  # fmt: skip
    return make_response(page, refusal.status if refusal else 200)


def _notice(seen: watching.Seen, here: Desk, names: dict[str, str]) -> Item:
    one, language = seen.notice, page_language()
    at = format_datetime(one.at, "d MMM, HH:mm", tzinfo=ZoneInfo(here.timezone), locale=language)
    return Item(
        id=one.public_id, title=words.title(one.kind, language), text=words.sentence(one, language),
        card=f"···· {seen.number[-4:]}" if seen.number else "", facts=f"{names.get(one.actor, one.actor)} · {at}",
    )  # fmt: skip


def _correction(waiting: watching.Waiting, here: Desk, names: dict[str, str]) -> Item:
    one, language = waiting.adjustment, page_language()
    at = format_datetime(one.asked_at, "d MMM, HH:mm", tzinfo=ZoneInfo(here.timezone), locale=language)
    return Item(
        id=one.public_id, title=words.change(one.units, one.unit, language), text=one.reason,
        card=codes.grouped(waiting.number), facts=f"{names.get(one.asked_by, one.asked_by)} · {at}",
        is_own=one.asked_by == here.who.actor, is_money=ledger.is_money(one.unit),
    )  # fmt: skip


def _check_here(writing: Session, here: Desk, notice_id: str) -> None:
    """A manager of one store decides about that store's notices."""
    found = watching.store_of(writing, here.programme.id, notice_id)
    if here.who.store_id is not None and found != here.who.store_id:
        raise NotFound("unknown_notice", "There is no such notice.")


def _person(here: Desk) -> Person:
    return Person(by=here.actor, role=here.who.role)
