"""One card corrected by hand, joined with another, and parted again."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.controls import forms
from app.admin.controls.routes import DECIDE
from app.admin.pages import moment, shown
from app.admin.texts import gettext
from app.cards import codes
from app.cards import service as cards
from app.cards.models import Card
from app.counter import adjusting, merging
from app.counter.adjusting import Person
from app.counter.merging import Preview
from app.counter.moves import Actor
from app.errors import AppError, NotFound
from app.fraud import watching
from app.fraud.models import CardMerge
from app.i18n import page_language, translate
from app.ledger import words as units
from app.ledger.held import POINTS
from app.staff.guards import current_staff, requires
from app.stamps import service as stamps
from app.web import world

blueprint = Blueprint("admin_card_controls", __name__, url_prefix="/admin/cards/<number>")


@blueprint.get("/correct")
@requires(*DECIDE)
def correct(number: str) -> AnyResponse:
    """The form of a correction."""
    return _correct_page(_card(number))


@blueprint.post("/correct")
@requires(*DECIDE)
def correct_submit(number: str) -> AnyResponse:
    """Correct a balance, or leave it to a second person."""
    card, parts = _card(number), world()
    try:
        wish = forms.wish(request.form, card.programme)
        asked = parts.database.transact(
            lambda writing: adjusting.ask(writing, writing.get_one(Card, card.id), wish, _person(), now=parts.clock())
        )
    except AppError as problem:
        return _correct_page(card, problem)
    if asked.done is None:
        text = gettext("The correction waits for a second person. It is on the page of notices for 7 days.")
        flash(text, "note")
        return redirect(url_for("admin_controls.notices", slug=card.programme.slug), code=303)
    flash(gettext("The balance is corrected."), "good")
    return redirect(url_for("admin_deliveries.card", number=card.number), code=303)


@blueprint.get("/join")
@requires(*DECIDE)
def join(number: str) -> AnyResponse:
    """Choose the card that stays; with ?into= what would move."""
    card, into = _card(number), request.args.get("into", "").strip()[:64]
    if not into:
        return _join_page(card)
    try:
        with world().database.reading() as reading:
            target = _other(reading, card, into)
            found = merging.preview(reading, reading.get_one(Card, card.id), target, now=world().clock())
    except AppError as problem:
        return _join_page(card, problem, typed=request.args)
    return _join_page(card, typed=request.args, preview=found, target=target)


@blueprint.post("/join")
@requires(*DECIDE)
def join_submit(number: str) -> AnyResponse:
    """Join this card with the one that stays."""
    card, parts = _card(number), world()

    def work(writing: Session) -> str:
        target = _other(writing, card, request.form.get("into", "").strip()[:64])
        reason, by = request.form.get("reason", ""), _person().by
        merging.merge(
            writing, writing.get_one(Card, card.id), target, reason=reason, by=by, now=parts.clock()
        )  # fmt: skip
        return target.number

    try:
        kept = parts.database.transact(work)
    except AppError as problem:
        return _join_page(card, problem, typed=request.form)
    flash(gettext("The cards are one now. They can be parted again for 30 days."), "good")
    return redirect(url_for("admin_deliveries.card", number=kept), code=303)


@blueprint.post("/join/<merge_id>/undo")
@requires(*DECIDE)
def part(number: str, merge_id: str) -> AnyResponse:
    """Part two cards again."""
    card, parts = _card(number), world()

    def work(writing: Session) -> None:
        made = merging.named(writing, merge_id)
        if card.id not in (made.source_id, made.target_id):
            raise NotFound("unknown_merge", "There is no such joining of cards. Open the card again.")
        merging.unmerge(writing, made, by=_person().by, now=parts.clock())

    try:
        parts.database.transact(work)
    except AppError as problem:
        return _join_page(card, problem)
    flash(gettext("The cards are parted. Each is good again."), "good")
    return redirect(url_for("admin_deliveries.card", number=card.number), code=303)


def _correct_page(card: Card, problem: AppError | None = None) -> AnyResponse:
    language = page_language()
    with world().database.reading() as reading:
        found = stamps.of_programme(reading, card.programme_id)
        choices = [(POINTS, units.unit(POINTS, language))]
        choices += [(one.unit, stamps.words(one, language)[0]) for one in found if one.state != "ended"]
        stands = merging.balances(reading, card)
    choices.append((card.programme.currency, units.unit(card.programme.currency, language)))
    errors, said = _told(problem)
    return shown(
        "correct.html", status=problem.status if problem else 200, card=card, grouped=codes.grouped(card.number),
        choices=choices, errors=errors, refusal=said, typed=request.form,
        balance=_amounts(stands, language),
    )  # fmt: skip


def _join_page(
    card: Card, problem: AppError | None = None, *, typed: Mapping[str, str] | None = None,
    preview: Preview | None = None, target: Card | None = None,
) -> AnyResponse:  # fmt: skip
    now, language = world().clock(), page_language()
    with world().database.reading() as reading:
        joined = [
            _joined(reading, card, one, merging.can_undo(reading, one, now))
            for one in merging.of_card(reading, card.id)
        ]
    errors, said = _told(problem)
    moving = []
    if preview is not None:
        moving = [
            (gettext("Moves"), _amounts(preview.moves, language)),
            (gettext("Owed, moves too"), _amounts(preview.owed, language)),
            (gettext("Waits, follows on its day"), _amounts(preview.waits, language)),
        ]
    return shown(
        "join.html", status=problem.status if problem else 200, card=card, grouped=codes.grouped(card.number),
        errors=errors, refusal=said, typed=typed or {}, joined=joined, target=target, preview=preview,
        moving=[(label, text) for label, text in moving if text], into=codes.grouped(target.number) if target else "",
    )  # fmt: skip


def _joined(reading: Session, card: Card, made: CardMerge, can_undo: bool) -> dict[str, Any]:
    other = reading.get_one(Card, made.target_id if made.source_id == card.id else made.source_id)
    who = watching.names_of(reading, [made.made_by]).get(made.made_by, made.made_by)
    return {
        "id": made.public_id, "number": other.number, "card": codes.grouped(other.number), "reason": made.reason,
        "is_source": made.source_id == card.id, "facts": f"{who} · {moment(made.made_at)}",
        "undone": moment(made.undone_at) if made.undone_at else "", "can_undo": can_undo,
    }  # fmt: skip


def _amounts(found: Mapping[str, int], language: str) -> str:
    return ", ".join(
        f"{units.amount(count, unit, language)} {units.unit(unit, language)}" for unit, count in found.items()
    )


def _told(problem: AppError | None) -> tuple[dict[str, str], str]:
    """What stands beside the fields, and what stands above the form."""
    if problem is None:
        return {}, ""
    errors = {name: translate(text) for name, text in problem.errors.items()}
    return errors, "" if errors else words.sentence(problem)


def _other(session: Session, card: Card, number: str) -> Card:
    found = cards.by_number(session, number, programme_id=card.programme_id)
    if found is None:
        text = "There is no card with this number in this programme."
        raise NotFound("unknown_card", text, errors={"into": text})
    return found


def _person() -> Person:
    me = current_staff()
    return Person(by=Actor(name=me.actor, channel="page"), role=me.role)


def _card(number: str) -> Card:
    """Raises: NotFound `unknown_card`; Forbidden `not_your_programme`."""
    with world().database.reading() as reading:
        found = cards.by_number(reading, number)
    if found is None:
        raise NotFound("unknown_card", "There is no card with this number. Check it for a typing mistake.")
    gate.check_programme(world(), current_staff(), found.programme_id, subject=f"{request.method} {request.path}")
    return found
