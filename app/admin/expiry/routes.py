"""What of a programme's points expires when, the owner's word that lets them live longer, and debts that were
written off."""

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date
from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.pages import shown
from app.admin.programmes.forms import unprintable
from app.admin.texts import gettext, ngettext
from app.cards import codes
from app.cards.models import Programme
from app.counter import lasting
from app.errors import Unprocessable
from app.i18n import page_language
from app.ledger import losses
from app.ledger.held import POINTS
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_expiry", __name__, url_prefix="/admin/programmes/<slug>/expiry")

STEPS = 24


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def ladder(slug: str) -> AnyResponse:
    """The next days on which points expire, and the form."""
    return _page(_programme(slug), {}, {})


@blueprint.post("", strict_slashes=False)
@requires(*rules.ADMIN)
def lengthen(slug: str) -> AnyResponse:
    """Let points live longer, a bounded number of lots at once."""
    parts, programme = world(), _programme(slug)
    try:
        wanted = _wanted(request.form)
        with parts.database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id)
            done = lasting.lengthen(writing, row, wanted, actor=current_staff().actor, now=parts.clock())
    except Unprocessable as problem:
        return _page(programme, words.field_errors(problem, {}), request.form, status=problem.status)
    if done.complete:
        flash(ngettext("%(num)d lot lives longer.", "%(num)d lots live longer.", done.lots), "good")
    else:
        flash(gettext("%(count)s lots live longer; there are more. Send the form again.", count=done.lots), "warn")
    return redirect(url_for("admin_expiry.ladder", slug=slug), code=303)


def _wanted(form: Mapping[str, str]) -> lasting.Lengthening:
    """Raises: Unprocessable with `errors` by field."""
    errors = unprintable(form)
    reason = " ".join(form.get("reason", "").split())
    if not 1 <= len(reason) <= lasting.LONGEST_REASON:
        errors["reason"] = gettext("Say why, in at most %(most)s characters.", most=lasting.LONGEST_REASON)
    until, ending_by = _day(form, "until", errors), _day(form, "ending_by", errors)
    if until is None:
        errors.setdefault("until", gettext("Choose a day."))
    if errors or until is None:
        raise Unprocessable("invalid_lengthening", " ".join(errors.values()), errors=errors)
    return lasting.Lengthening(unit=POINTS, until=until, ending_by=ending_by, reason=reason)


def _day(form: Mapping[str, str], name: str, errors: dict[str, str]) -> date | None:
    typed = form.get(name, "").strip()
    if not typed:
        return None
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        day = date.min
    if not lasting.FIRST_DAY <= day <= lasting.LAST_DAY:
        errors[name] = gettext("Write the day as 2027-01-31.")
        return None
    return day


def _page(
    programme: Programme, errors: Mapping[str, str], typed: Mapping[str, str], *, status: int = 200
) -> AnyResponse:
    parts = world()
    with parts.database.reading() as reading:
        steps = lasting.ahead(reading, programme, POINTS, now=parts.clock(), limit=STEPS)
        lost = losses.written_off(reading, programme.id, POINTS, limit=STEPS)
    days = [(format_date(step.last_on, "d MMM y", locale=page_language()), step.units) for step in steps]
    return shown(
        "expiry.html", status=status, programme=programme, days=days, lost=lost, grouped=codes.grouped, errors=errors,
        typed=typed,
    )  # fmt: skip


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")
