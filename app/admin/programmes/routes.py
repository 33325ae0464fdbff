"""Programmes: made, paused and ended; their stores."""

import zoneinfo
from functools import cache
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import money
from app.admin import gate, words
from app.admin.pages import shown
from app.admin.programmes import forms
from app.admin.programmes.forms import StoreForm
from app.admin.texts import gettext
from app.cards import programmes
from app.cards.models import Card, Programme, Store
from app.earning import versions
from app.errors import Conflict, Unprocessable
from app.i18n import LANGUAGES, NAMES, page_language
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_programmes", __name__, url_prefix="/admin/programmes")

NEXT_STATUS = {"live": ("paused", "ended"), "paused": ("live", "ended"), "ended": ("live",)}


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def listing() -> AnyResponse:
    """All programmes with how many they reach."""
    with world().database.reading() as reading:
        found = gate.visible(reading, current_staff())
        ids = [one.id for one in found]
        return shown(
            "programmes.html", programmes=found, cards=_counts(reading, Card, ids), stores=_counts(reading, Store, ids),
            words=words,
        )  # fmt: skip


@blueprint.get("/new")
@requires(*rules.ADMIN)
def new() -> AnyResponse:
    """The form of a new programme."""
    _check_whole_installation()
    return _new_page({}, {"language": page_language(), "earn.points": "1"})


@blueprint.post("", strict_slashes=False)
@requires(*rules.ADMIN)
def create() -> AnyResponse:
    _check_whole_installation()
    parts = world()
    try:
        if errors := forms.unprintable(request.form):
            raise Unprocessable("invalid_programme", " ".join(errors.values()), errors=errors)
        with parts.database.unit_of_work() as writing:
            made = versions.create_programme(writing, forms.draft(request.form), now=parts.clock())
            after = {"slug": made.slug, "name": made.name}
            _note(writing, made, "programme_created", after=after)
    except Conflict as problem:
        return _new_page({"slug": words.sentence(problem)}, request.form, status=problem.status)
    except Unprocessable as problem:
        errors = words.field_errors(problem, {} if errors else forms.words_for_programme())
        return _new_page(errors, request.form, status=problem.status)
    flash(gettext("The programme is made. Give its cards a look, then put up its poster."), "good")
    return redirect(url_for("admin_programmes.overview", slug=made.slug), code=303)


@blueprint.get("/<slug>")
@requires(*rules.ADMIN_READ)
def overview(slug: str) -> AnyResponse:
    """One programme: what it is, whether it takes members, and the ways on."""
    return _overview(_programme(slug))


@blueprint.post("/<slug>/status")
@requires(*rules.ADMIN)
def change_status(slug: str) -> AnyResponse:
    """Pause, resume or end enrolment."""
    parts, programme = world(), _programme(slug)
    wanted = request.form.get("status", "")
    with parts.database.unit_of_work() as writing:
        row = writing.get_one(Programme, programme.id, with_for_update=True)
        before = row.status
        if wanted not in NEXT_STATUS[before] and wanted != before:
            raise Unprocessable("invalid_status", "A programme is paused, resumed or ended; open its page again.")
        if wanted != before:
            row.status = wanted
            _note(writing, row, "programme_status_changed", before={"status": before}, after={"status": wanted})
    sentences = {
        "live": gettext("The programme takes new members."),
        "paused": gettext("Nobody can join now. Cards go on working."),
        "ended": gettext("The programme has ended for new members. Cards go on working until you void them."),
    }
    flash(sentences[wanted], "good")
    return redirect(url_for("admin_programmes.overview", slug=slug), code=303)


@blueprint.get("/<slug>/stores")
@requires(*rules.ADMIN_READ)
def stores(slug: str) -> AnyResponse:
    return _stores_page(_programme(slug), {}, {})


@blueprint.post("/<slug>/stores")
@requires(*rules.ADMIN)
def add_store(slug: str) -> AnyResponse:
    parts, programme = world(), _programme(slug)
    try:
        if errors := forms.unprintable(request.form):
            raise Unprocessable("invalid_store", " ".join(errors.values()), errors=errors)
        form = StoreForm.parse(request.form)
        with parts.database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id, with_for_update=True)
            store = programmes.create_store(
                writing, row, name=form.name, timezone=form.timezone, latitude=form.latitude,
                longitude=form.longitude, region=form.region, now=parts.clock(),
            )  # fmt: skip
            after = {"store": store.public_id, "name": store.name, "timezone": store.timezone}
            _note(writing, row, "store_created", after=after)
    except Conflict as problem:
        return _stores_page(programme, {"name": words.sentence(problem)}, request.form, status=problem.status)
    except Unprocessable as problem:
        errors = words.field_errors(problem, forms.words_for_store())
        return _stores_page(programme, errors, request.form, status=problem.status)
    flash(gettext("%(name)s is added.", name=store.name), "good")
    return redirect(url_for("admin_programmes.stores", slug=slug), code=303)


@blueprint.post("/<slug>/stores/regions")
@requires(*rules.ADMIN)
def set_regions(slug: str) -> AnyResponse:
    """Say of every store in which region it lies."""
    parts, programme = world(), _programme(slug)
    try:
        with parts.database.unit_of_work() as writing:
            _set_regions(writing, writing.get_one(Programme, programme.id))
    except Unprocessable as problem:
        return _stores_page(programme, words.field_errors(problem, {}), request.form, status=problem.status)
    flash(gettext("The regions are saved."), "good")
    return redirect(url_for("admin_programmes.stores", slug=slug), code=303)


@cache
def zones() -> tuple[tuple[str, str], ...]:
    """Every zone that people live in, as choices of a select."""
    named = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    return tuple((zone, zone.replace("_", " ")) for zone in ("UTC", *named))


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _check_whole_installation() -> None:
    gate.check_programme(world(), current_staff(), None, subject=f"{request.method} {request.path}")


def _note(
    writing: Session,
    programme: Programme,
    action: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit.record(
        writing, actor=current_staff().actor, action=action, subject=f"programme:{programme.public_id}",
        before=before, after=after, now=world().clock(),
    )  # fmt: skip


def _new_page(errors: dict[str, str], typed: object, *, status: int = 200) -> AnyResponse:
    return shown(
        "programme_new.html", status=status, errors=errors, typed=typed, zones=zones(),
        languages=[(one, NAMES[one]) for one in LANGUAGES], tier_rows=range(forms.TIER_ROWS),
    )  # fmt: skip


def _overview(programme: Programme) -> AnyResponse:
    with world().database.reading() as reading:
        cards = _counts(reading, Card, [programme.id]).get(programme.id, 0)
        shops = _counts(reading, Store, [programme.id]).get(programme.id, 0)
    per = money.shown(programme.earn_per_minor, programme.currency, page_language())
    return shown(
        "programme.html", programme=programme, cards=cards, stores=shops, per=per, words=words,
        language=NAMES.get(programme.language, programme.language), base_url=world().settings.base_url,
        next_status=NEXT_STATUS[programme.status],
    )  # fmt: skip


def _set_regions(writing: Session, programme: Programme) -> None:
    """Write every region that was typed, or none if one is refused."""
    errors: dict[str, str] = {}
    for store in writing.scalars(select(Store).where(Store.programme_id == programme.id).order_by(Store.id)):
        field, before = f"region.{store.public_id}", store.region
        try:
            if programmes.set_region(writing, store, request.form.get(field, before)):
                change = {"store": store.public_id, "region": store.region}
                _note(writing, programme, "store_region_set", before={"region": before}, after=change)
        except Unprocessable as problem:
            errors[field] = problem.public
    if errors:
        raise Unprocessable("invalid_store", next(iter(errors.values())), errors=errors)


def _stores_page(programme: Programme, errors: dict[str, str], typed: object, *, status: int = 200) -> AnyResponse:
    with world().database.reading() as reading:
        found = list(reading.scalars(select(Store).where(Store.programme_id == programme.id).order_by(Store.name)))
    return shown(
        "stores.html", status=status, programme=programme, stores=found, errors=errors, typed=typed, zones=zones()
    )


def _counts(reading: Session, table: type[Card] | type[Store], ids: list[int]) -> dict[int, int]:
    query = select(table.programme_id, func.count()).where(table.programme_id.in_(ids)).group_by(table.programme_id)
    return {row[0]: row[1] for row in reading.execute(query)}
