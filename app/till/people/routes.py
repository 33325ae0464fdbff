"""Who is at the till: one person after another takes it over with a PIN; managers take PINs away."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from app.errors import AppError, Forbidden, NotFound
from app.staff import audit, guards, pins, rules, service
from app.staff.guards import current_staff, requires
from app.till import desk
from app.till.people import tiles
from app.till.people.approvals import place_of
from app.till.words import sentence
from app.web import world

blueprint = Blueprint("till_people", __name__, url_prefix="/till/people")


@blueprint.get("", strict_slashes=False)
@requires(*rules.TILL)
def switch() -> AnyResponse:
    """The people of this store, to choose who takes over."""
    return _switch_page()


@blueprint.post("", strict_slashes=False)
@requires(*rules.TILL)
def switch_submit() -> AnyResponse:
    """Change who is signed in at this till, if the PIN is right; whatever was on the screen is gone."""
    parts, me = world(), current_staff()
    try:
        if guards.opened_by() is None:
            raise Forbidden("password_needed", "This till was opened long ago. Sign in with a password once more.")
        with parts.database.reading() as reading:
            here = desk.standing(reading)
        guess = pins.Guess(
            staff=request.form.get("person", ""),
            pin=request.form.get("pin", ""),
            place=place_of(here),
            terminal=guards.terminal(),
            actor=me.actor,
        )
        staff = pins.check(parts, guess)
    except AppError as refusal:
        return _switch_page(refusal)
    chosen, name = here.choice, f"staff:{staff.public_id}"
    with parts.database.unit_of_work() as writing:
        about = {"before": me.actor, "opened_by": f"staff:{guards.opened_by()}"}
        audit.record(writing, actor=name, action="switched_in", subject=name, after=about, now=parts.clock())
        if me.actor != name:
            audit.record(writing, actor=name, action="switched_out", subject=me.actor, now=parts.clock())
    guards.switch_to(staff, {"programme_id": chosen.programme_id, "store_id": chosen.store_id})
    return redirect(url_for("till.waiting"), code=303)


@blueprint.get("/pins")
@requires(*rules.TILL_ABOVE_LIMIT)
def held() -> AnyResponse:
    """Who of this store has a PIN."""
    with world().database.reading() as reading:
        here = desk.standing(reading)
        people = tiles.everybody(reading, here)
    names = {"cashier": gettext("Cashier"), "manager": gettext("Manager"), "owner": gettext("Owner")}
    page = render_template("till/people_pins.html", desk=here, staff=here.who, people=people, roles=names)
    return make_response(page)


@blueprint.post("/pins/<staff_id>/remove")
@requires(*rules.TILL_ABOVE_LIMIT)
def remove(staff_id: str) -> AnyResponse:
    """Take somebody's PIN away, so that they choose a new one."""
    parts, me = world(), current_staff()
    with parts.database.reading() as reading:
        known = {one.id: one for one in tiles.everybody(reading, desk.standing(reading))}
    found = known.get(staff_id)
    if found is None:
        raise NotFound("unknown_staff", "There is nobody at this address. Open the list of staff again.")
    if found.role == rules.OWNER and me.role != rules.OWNER:
        raise Forbidden("owner_only", "Only an owner takes an owner's PIN away.")
    with parts.database.unit_of_work() as writing:
        staff = service.by_public_id(writing, staff_id)
        if staff is not None:
            pins.take_away(writing, staff, actor=me.actor, now=parts.clock())
    flash(gettext("%(name)s has no PIN now and sets a new one under My account.", name=found.name), "good")
    return redirect(url_for("till_people.held"), code=303)


def _switch_page(refusal: AppError | None = None) -> AnyResponse:
    with world().database.reading() as reading:
        here = desk.chosen(reading)
        if here is None:
            return redirect(url_for("till.store"), code=303)
        people = tiles.with_pin(reading, here)
    by_script = request.headers.get("X-Requested-With") == "fetch"
    text = sentence(refusal, here.programme.currency) if refusal else ""
    template = "till/_people.html" if by_script else "till/people.html"
    chosen = request.form.get("person", "")
    drawn = render_template(template, desk=here, staff=here.who, people=people, refusal=text, chosen=chosen)
    page = make_response(drawn)
    if refusal is not None:
        page.status_code = refusal.status
        if refusal.retry_after_s is not None:
            page.headers["Retry-After"] = str(refusal.retry_after_s)
    return page
