"""Marketing's pages of reports: what there is, one of them for some days, its CSV, and what points are worth."""

from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.cards.models import Programme, Store
from app.errors import Unprocessable
from app.i18n import page_language, translate
from app.marketing import place
from app.marketing.reports import pages
from app.reports import metrics, service, valuing, writing
from app.reports.outcome import Report
from app.reports.service import ABOUT_PEOPLE, Wish
from app.reports.touched import Place
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("marketing_reports", __name__, url_prefix="/marketing/reports")
OVERVIEW = "overview"
READERS = (*rules.MARKETING_READ, *rules.ADMIN)


@blueprint.get("", strict_slashes=False)
@requires(*READERS)
def home() -> tuple[str, int]:
    """The figures that matter, and every report."""
    return _page(OVERVIEW, "reports.html")


@blueprint.get("/<name>")
@requires(*READERS)
def report(name: str) -> tuple[str, int]:
    """One report."""
    return _page(name, "report.html")


@blueprint.get("/<name>.csv")
@requires(*READERS)
def report_csv(name: str) -> AnyResponse:
    """Its table, for a spreadsheet."""
    with world().database.reading() as reading:
        found = _read(reading, place.programme(reading), name)
        answer = Response("".join(writing.csv_lines(found)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{writing.csv_name(found)}"'
    return answer


@blueprint.get("/settings")
@requires(*READERS)
def settings() -> str:
    """What the programme takes its points to be worth."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        return _settings_page(reading, programme, valuing.texts(reading, programme.id), {})


@blueprint.post("/settings")
@requires(*rules.ADMIN)
def change_settings() -> AnyResponse | tuple[str, int]:
    """Keep what was written."""
    parts, typed = world(), request.form.to_dict()
    try:
        with parts.database.unit_of_work() as writing_:
            programme = place.programme(writing_)
            before = valuing.texts(writing_, programme.id)
            now = parts.clock()
            kept = valuing.change(writing_, programme, typed, by=current_staff().actor, now=now)
            audit.record(
                writing_, actor=current_staff().actor, action="valuation_changed",
                subject=f"programme:{programme.public_id}", before=before, after=dict(kept), now=now,
            )  # fmt: skip
    except Unprocessable as refusal:
        with parts.database.reading() as reading:
            errors = {name: translate(text) for name, text in refusal.errors.items()}
            return _settings_page(reading, place.programme(reading), typed, errors), refusal.status
    flash(gettext("Saved. Reports use it from now on."), "good")
    return redirect(url_for("marketing_reports.settings"), 303)


def _page(name: str, template: str) -> tuple[str, int]:
    """A report's page; days that cannot be meant are said beside their field, over the report for the usual ones."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        try:
            found, errors, status = _read(reading, programme, name), {}, 200
        except Unprocessable as refusal:
            errors, status = {field: translate(text) for field, text in refusal.errors.items()}, refusal.status
            found = _read(reading, programme, name, as_usual=True)
        return place.shown(template, reading, programme, **_shown(reading, programme, found, errors)), status


def _read(reading: Session, programme: Programme, name: str, *, as_usual: bool = False) -> Report:
    person, asked = current_staff(), request.args
    kind = service.kinds("en").get(name)
    store = "" if as_usual else asked.get("store", "")
    if kind is not None and kind.about_people and person.store_id is not None:
        own = select(Store.public_id).where(Store.id == person.store_id)
        store = reading.scalar(own) or store  # whoever leads one store reads about the people of that one
    wish = Wish(
        name=name,
        first=None if as_usual else asked.get("from"),
        last=None if as_usual else asked.get("to"),
        store=store,
        language=page_language(),
        names_people=person.may(*ABOUT_PEOPLE),
    )
    return service.report(reading, programme, wish, now=world().clock())


def _shown(reading: Session, programme: Programme, found: Report, errors: dict[str, str]) -> dict[str, Any]:
    language = page_language()
    known = metrics.all_of(language)
    kinds = [one for one in service.kinds(language).values() if not one.about_people or _may_know_people()]
    period, asked = found.ask.period, request.args
    typed = {"from": asked.get("from", ""), "to": asked.get("to", "")} if errors else {}
    store = asked.get("store", "") if found.ask.store_id is not None else ""
    chosen = {"from": typed.get("from") or str(period.first), "to": typed.get("to") or str(period.last)}
    return {
        "report": found,
        "view": pages.view(found, known, language),
        "kinds": kinds,
        "kind": service.kinds(language)[found.name],
        "definitions": service.definitions(service.kinds(language)[found.name], language),
        "stores": [("", gettext("All stores")), *service.store_choices(reading, programme).items()],
        "store": store,
        "chosen": chosen,
        "query": {"from": str(period.first), "to": str(period.last), **({"store": store} if store else {})},
        "errors": errors,
        "quick": pages.quick(period, Place.of(programme, world().clock()).today),
        "zone": programme.timezone.replace("_", " "),
    }


def _may_know_people() -> bool:
    return current_staff().may(*ABOUT_PEOPLE)


def _settings_page(reading: Session, programme: Programme, values: dict[str, str], errors: dict[str, str]) -> str:
    return place.shown(
        "report_settings.html", reading, programme, values=values, errors=errors,
        may_change=current_staff().may(*rules.ADMIN),
    )  # fmt: skip
