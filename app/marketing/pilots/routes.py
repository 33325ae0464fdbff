"""Pilots: what is tried in some stores, what it changed, and whether it comes to the others."""

from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import localtime
from app.cards.models import Programme
from app.errors import AppError, Forbidden
from app.i18n import translate
from app.marketing import place
from app.marketing.once import once
from app.marketing.pilots import forms, pages, words
from app.marketing.pilots.forms import PilotForm
from app.pilots import reporting, service
from app.pilots.models import Pilot
from app.pilots.service import Draft
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("marketing_pilots", __name__, url_prefix="/marketing/pilots")
FOUR_WEEKS = timedelta(days=27)


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def all_pilots() -> str:
    """All of them, with what each did."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        found = pages.rows(reading, programme, now=world().clock())
        return place.shown("pilots.html", reading, programme, rows=found)


@blueprint.get("/new")
@requires(*rules.MARKETING)
def new_pilot() -> str:
    """An empty form: four weeks from tomorrow."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        first = localtime.wall_clock(world().clock(), programme.timezone).date() + timedelta(days=1)
        values = {"starts_on": first.isoformat(), "ends_on": (first + FOUR_WEEKS).isoformat()}
        return _form_page(reading, programme, PilotForm(values=values))


@blueprint.post("/new")
@requires(*rules.MARKETING)
def begin() -> str | AnyResponse:
    """Begin a pilot."""
    with world().database.unit_of_work() as writing:
        programme = place.programme(writing)
        form = forms.parse(request.form, programme, pages.of_programme(writing, programme))
        if form.draft is None:
            return _form_page(writing, programme, form)
        try:
            with writing.begin_nested():
                made = _made(writing, form.draft, now=world().clock())
        except AppError as refusal:
            errors = {name: translate(text) for name, text in (refusal.errors or {"subject": refusal.public}).items()}
            return _form_page(writing, programme, PilotForm(values=form.values, errors=errors))
    flash(gettext("The pilot is being compared. Its first figures come when its first day is over."), "good")
    return redirect(url_for("marketing_pilots.one", public_id=made), 303)


@blueprint.get("/<public_id>")
@requires(*rules.MARKETING_READ)
def one(public_id: str) -> str:
    """What it changed, in which stores, and what may be done."""
    now = world().clock()
    with world().database.reading() as reading:
        found = _own(reading, public_id)
        programme = reading.get_one(Programme, found.programme_id)
        report = reporting.report(reading, found, now=now)
        had = {row.public_id for row in report.stores if row.arm == "pilot"}
        others = [store for store in pages.of_programme(reading, programme) if store.public_id not in had]
        return place.shown(
            "pilot.html", reading, programme, pilot=found, what=pages.subject_name(reading, found),
            state=words.state(found.state, is_interim=report.is_interim),
            figures=pages.drawn(report, programme.currency),
            table=pages.stores(report, programme.currency), report=report, words=words,
            others=pages.by_region(others), copy=pages.copy_state(reading, found),
        )  # fmt: skip


@blueprint.get("/<public_id>/stores.csv")
@requires(*rules.MARKETING_READ)
def sheet(public_id: str) -> Response:
    """The figures of its stores, for a spreadsheet."""
    with world().database.reading() as reading:
        text = pages.sheet(reporting.report(reading, _own(reading, public_id), now=world().clock()))
    answer = Response(text, mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="tessera-pilot.csv"'
    return answer


@blueprint.post("/<public_id>/widen")
@requires(*rules.MARKETING)
def widen(public_id: str) -> AnyResponse:
    """Let it hold in all stores if that is asked for, else in those that were ticked."""
    chosen = set(request.form.getlist("store"))
    to_all = request.form.get("to") == "all"

    def work(writing: Session, found: Pilot, now: datetime) -> str:
        programme = writing.get_one(Programme, found.programme_id)
        stores = [store for store in pages.of_programme(writing, programme) if store.public_id in chosen]
        service.widen(writing, found, None if to_all else stores, by=current_staff().actor, now=now)
        if "campaign" in found.outcome:
            return words.goes_on(found.outcome["waits"])
        return str(gettext("Widened. It holds there from the next purchase on."))

    return _turned(public_id, work)


@blueprint.post("/<public_id>/stop")
@requires(*rules.MARKETING)
def stop(public_id: str) -> AnyResponse:
    """End it, and what it tries."""

    def work(writing: Session, found: Pilot, now: datetime) -> str:
        service.stop(writing, found, by=current_staff().actor, now=now)
        return str(gettext("Stopped. What it tried holds nowhere any more."))

    return _turned(public_id, work)


def _made(writing: Session, draft: Draft, *, now: datetime) -> str:
    return once(writing, lambda: service.create(writing, draft, by=current_staff().actor, now=now).public_id, now=now)


def _turned(public_id: str, work: Callable[[Session, Pilot, datetime], str]) -> AnyResponse:
    try:
        with world().database.unit_of_work() as writing:
            said = work(writing, _own(writing, public_id), world().clock())
        flash(said, "good")
    except AppError as refusal:
        flash(translate(refusal.public), "bad")
    return redirect(url_for("marketing_pilots.one", public_id=public_id), 303)


def _own(session: Session, public_id: str) -> Pilot:
    found = service.by_id(session, public_id)
    if not place.is_own(found.programme_id):
        raise Forbidden("not_yours", "This pilot belongs to another programme.")
    return found


def _form_page(session: Session, programme: Programme, form: PilotForm) -> str:
    stores = pages.of_programme(session, programme)
    return place.shown(
        "pilot_new.html", session, programme, form=form, subjects=pages.choices(session, programme),
        regions=pages.by_region(stores), arm=forms.ARM,
        labels={
            "name": gettext("Name"), "subject": gettext("What is tried"), "starts_on": gettext("First day"),
            "ends_on": gettext("Last day"), "pilot": gettext("Stores of the pilot"),
            "control": gettext("Control stores"),
        },
    )  # fmt: skip
