"""Staff and API keys: added, and ended at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.pages import shown
from app.admin.people import forms
from app.admin.people.forms import Place, StaffForm
from app.admin.texts import gettext
from app.cards.models import Programme, Store
from app.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.i18n import LANGUAGES, NAMES, page_language
from app.staff import rules, service
from app.staff.guards import StaffIdentity, current_staff, requires
from app.staff.models import ApiKey, Staff
from app.web import world

blueprint = Blueprint("admin_people", __name__, url_prefix="/admin")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The programmes and stores that staff and keys are tied to, by id."""

    programmes: dict[int, Programme]
    stores: dict[int, Store]
    places: list[Place]

    def place_of(self, programme_id: int | None, store_id: int | None = None) -> str:
        programme, store = self.programmes.get(programme_id or 0), self.stores.get(store_id or 0)
        names = [one.name for one in (programme, store) if one]
        return " · ".join(names) or gettext("Everywhere")


@blueprint.get("/staff")
@requires(*rules.ADMIN_READ)
def staff() -> AnyResponse:
    return _staff_page({}, {"language": page_language(), "role": "cashier"})


@blueprint.post("/staff")
@requires(*rules.ADMIN)
def add_staff() -> AnyResponse:
    parts, me = world(), current_staff()
    try:
        with parts.database.reading() as reading:
            places = _surroundings(reading, me).places
        form = StaffForm.parse(request.form, me, places)
        with parts.database.unit_of_work() as writing:
            made = service.add_staff(
                writing, email=form.email, name=form.name, role=form.role, password=form.password,
                programme=form.place.programme, store=form.place.store, language=form.language, actor=me.actor,
                now=parts.clock(),
            )  # fmt: skip
    except Unprocessable as problem:
        errors = {name: words.sentence(problem) for name in problem.errors}
        if problem.code == "invalid_staff":
            errors = dict(problem.errors)
        return _staff_page(errors, request.form, status=problem.status)
    flash(gettext("%(name)s can sign in now. Tell them the password in person.", name=made.name), "good")
    return redirect(url_for("admin_people.staff"), code=303)


@blueprint.post("/staff/<staff_id>/end")
@requires(*rules.ADMIN)
def end_staff(staff_id: str) -> AnyResponse:
    """End a person's access at once."""
    parts, me = world(), current_staff()
    with parts.database.reading() as reading:
        found = reading.scalars(select(Staff).where(Staff.public_id == staff_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_staff", "There is nobody at this address. Open the list of staff again.")
    gate.check_programme(parts, me, found.programme_id, subject=f"{request.method} {request.path}")
    if found.id == me.id:
        raise Conflict("own_access", "You cannot end your own access. Ask another operator or owner to do it.")
    if found.role == rules.OWNER and me.role != rules.OWNER:
        raise Forbidden("owner_only", "Only an owner ends an owner's access.")
    with parts.database.unit_of_work() as writing:
        row = writing.get_one(Staff, found.id, with_for_update=True)
        if row.active:
            service.deactivate(writing, row, actor=me.actor, now=parts.clock())
    flash(gettext("%(name)s is signed out everywhere and can no longer sign in.", name=found.name), "good")
    return redirect(url_for("admin_people.staff"), code=303)


@blueprint.get("/keys")
@requires(*rules.ADMIN_READ)
def keys() -> AnyResponse:
    return _keys_page({}, {"scope": "write"})


@blueprint.post("/keys")
@requires(*rules.ADMIN)
def create_key() -> AnyResponse:
    """Make a key and show it, once, on the page that answers."""
    parts, me, form = world(), current_staff(), request.form
    with parts.database.reading() as reading:
        around = _surroundings(reading, me)
    choices: dict[str, int | None] = {"": None} if me.programme_id is None else {}
    choices |= {one.public_id: one.id for one in around.programmes.values()}
    errors: dict[str, str] = {}
    if form.get("programme", "") not in choices:
        errors["programme"] = gettext("Choose one of the programmes in the list.")
    if form.get("scope", "") not in forms.scopes_for(me):
        errors["scope"] = gettext("Choose one of the scopes in the list.")
    if errors:
        return _keys_page(errors, form, status=422)
    try:
        with parts.database.unit_of_work() as writing:
            made, text = service.create_key(
                writing, form.get("name", ""), form["scope"], choices[form.get("programme", "")], parts.clock(),
                actor=me.actor,
            )  # fmt: skip
    except Unprocessable as problem:
        known = {"name": gettext("Name the key after its user: 1 to 100 characters.")}
        return _keys_page(words.field_errors(problem, known), form, status=problem.status)
    return _keys_page({}, {"scope": "write"}, status=201, made=(made.name, text))


@blueprint.post("/keys/<key_id>/revoke")
@requires(*rules.ADMIN)
def revoke_key(key_id: str) -> AnyResponse:
    parts, me = world(), current_staff()
    with parts.database.reading() as reading:
        found = reading.scalars(select(ApiKey).where(ApiKey.public_id == key_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_key", "There is no such key. Open the list of keys again.")
    gate.check_programme(parts, me, found.programme_id, subject=f"{request.method} {request.path}")
    with parts.database.unit_of_work() as writing:
        service.revoke_key(writing, found.public_id, actor=me.actor, now=parts.clock())
    flash(gettext("The key %(name)s is revoked: calls with it are refused from now on.", name=found.name), "good")
    return redirect(url_for("admin_people.keys"), code=303)


def _surroundings(reading: Session, me: StaffIdentity) -> Surroundings:
    programmes = gate.visible(reading, me)
    ids = [one.id for one in programmes]
    stores = list(reading.scalars(select(Store).where(Store.programme_id.in_(ids)).order_by(Store.name)))
    return Surroundings(
        programmes={one.id: one for one in programmes},
        stores={one.id: one for one in stores},
        places=forms.places_for(me, programmes, stores),
    )


def _staff_page(errors: dict[str, str], typed: Mapping[str, str], *, status: int = 200) -> AnyResponse:
    me = current_staff()
    with world().database.reading() as reading:
        query = select(Staff).order_by(Staff.active.desc(), Staff.name, Staff.id)
        if me.programme_id is not None:
            query = query.where(Staff.programme_id == me.programme_id)
        people, around = list(reading.scalars(query)), _surroundings(reading, me)
    return shown(
        "staff.html", status=status, people=people, around=around, errors=errors, typed=typed, words=words,
        may_end=lambda person: forms.may_end(me, person),
        roles=[(one, words.role(one)) for one in forms.roles_for(me)],
        languages=[(one, NAMES[one]) for one in LANGUAGES],
    )  # fmt: skip


def _keys_page(
    errors: dict[str, str], typed: Mapping[str, str], *, status: int = 200, made: tuple[str, str] | None = None
) -> AnyResponse:
    me = current_staff()
    with world().database.reading() as reading:
        found, around = service.keys(reading), _surroundings(reading, me)
    mine = [one for one in found if me.programme_id in (None, one.programme_id)]
    places = [] if me.programme_id is not None else [("", gettext("Every programme"))]
    places += [(one.public_id, one.name) for one in around.programmes.values()]
    scopes = {
        "read": gettext("Read"),
        "write": gettext("Read and write"),
        "admin": gettext("Everything, programmes too"),
    }
    return shown(
        "keys.html", status=status, keys=mine, around=around, errors=errors, typed=typed, made=made, places=places,
        scopes=[(one, scopes[one]) for one in forms.scopes_for(me)], scope_words=scopes,
    )  # fmt: skip
