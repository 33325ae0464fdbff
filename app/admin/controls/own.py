"""The loyalty cards of people who work here: whoever has said which card is theirs cannot give to it by mistake."""

from flask import Blueprint, flash, make_response, redirect, render_template, request
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.texts import gettext
from app.cards import codes
from app.cards import service as cards
from app.counter import own_cards
from app.errors import AppError, Conflict, NotFound
from app.fraud import service as fraud
from app.staff import audit, rules
from app.staff.guards import StaffIdentity, current_staff, identity_of, requires
from app.staff.models import Staff
from app.web import world

blueprint = Blueprint("admin_own_cards", __name__)


@blueprint.get("/account/card")
@requires()
def mine() -> AnyResponse:
    """One's own card."""
    return _page(current_staff())


@blueprint.post("/account/card")
@requires()
def mine_submit() -> AnyResponse:
    return _link(current_staff())


@blueprint.get("/admin/staff/<staff_id>/card")
@requires(*rules.ADMIN)
def of_staff(staff_id: str) -> AnyResponse:
    """The card of somebody who works here."""
    return _page(_person(staff_id))


@blueprint.post("/admin/staff/<staff_id>/card")
@requires(*rules.ADMIN)
def of_staff_submit(staff_id: str) -> AnyResponse:
    return _link(_person(staff_id))


def _link(person: StaffIdentity) -> AnyResponse:
    parts, me = world(), current_staff()
    try:
        with parts.database.unit_of_work() as writing:
            card = cards.by_number(writing, request.form.get("number", "")[:64], programme_id=person.programme_id)
            if card is None:
                text = "There is no card with this number. Check it for a typing mistake."
                raise NotFound("unknown_card", text)
            if not fraud.link_card(writing, card.id, person.actor, by=me.actor, now=parts.clock()):
                raise Conflict("card_linked", "This card is linked to somebody who works here already.")
            audit.record(
                writing, actor=me.actor, action="staff_card_linked", subject=f"card:{card.serial}",
                after={"staff": person.public_id}, now=parts.clock(),
            )  # fmt: skip
    except AppError as problem:
        return _page(person, problem)
    flash(gettext("From now on %(name)s gives nothing to this card; a colleague does.", name=person.name), "good")
    return redirect(request.path, code=303)


def _page(person: StaffIdentity, problem: AppError | None = None) -> AnyResponse:
    me = current_staff()
    with world().database.reading() as reading:
        found = own_cards.of_staff(reading, person.actor)
    page = render_template(
        "admin/own_card.html", staff=me, person=person, is_mine=person.id == me.id,
        cards=[codes.grouped(one) for one in found], typed=request.form.get("number", "")[:64] if problem else "",
        refusal=words.sentence(problem) if problem else "", action=request.path,
    )  # fmt: skip
    return make_response(page, problem.status if problem else 200)


def _person(staff_id: str) -> StaffIdentity:
    parts = world()
    with parts.database.reading() as reading:
        found = reading.scalars(select(Staff).where(Staff.public_id == staff_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_staff", "There is nobody at this address. Open the list of staff again.")
    gate.check_programme(parts, current_staff(), found.programme_id, subject=f"{request.method} {request.path}")
    return identity_of(found)
