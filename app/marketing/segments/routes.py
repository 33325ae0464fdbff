"""Marketing's pages of segments: the list, the builder, one segment with its members, and why somebody is in or out."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import i18n
from app.cards.models import Programme
from app.errors import AppError, NotFound
from app.i18n import page_language
from app.marketing import place
from app.marketing.once import once
from app.marketing.segments import export, forms, pages
from app.marketing.segments.forms import Builder
from app.segments import service, uses, words
from app.segments.models import Segment
from app.segments.service import SegmentDraft
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("marketing_segments", __name__, url_prefix="/marketing/segments")
Page = str | tuple[str, int] | AnyResponse


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def all_segments() -> str:
    """The programme's segments."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        archived = request.args.get("archived") == "yes"
        found = service.of_programme(reading, programme.id, archived=archived)
        return place.shown(
            "segments.html", reading, programme, rows=pages.rows(reading, programme, found), archived=archived
        )


@blueprint.get("/new")
@requires(*rules.MARKETING)
def new_segment() -> Page:
    """An empty builder."""
    with world().database.reading() as reading:
        return _builder(reading, place.programme(reading), Builder(), None)


@blueprint.post("/new")
@requires(*rules.MARKETING)
def write_segment() -> Page:
    """Change the tree, count, or save."""
    return _written(None)


@blueprint.post("/side")
@requires(*rules.MARKETING)
def side() -> str:
    """What stands beside the builder, counted anew while it is edited."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        found, _builder = pages.side(reading, programme, forms.parse(request.form), now=world().clock())
    return render_template("marketing/segment_side.html", side=found)


@blueprint.get("/<public_id>")
@requires(*rules.MARKETING_READ)
def segment(public_id: str) -> str:
    """One segment: its rules, who is in it, and why somebody is or is not."""
    now = world().clock()
    with world().database.reading() as reading:
        found, programme = _own(reading, public_id)
        rule = service.rule_of(reading, found)
        spoken = pages.speaking(reading, programme)
        asked = request.args.get("card", "")
        card = pages.card_of(reading, programme, asked) if asked else None
        because = service.why(reading, rule, card, now=now, language=page_language()) if card else None
        return place.shown(
            "segment.html", reading, programme, segment=found, side=pages.of_rule(reading, programme, rule, now=now),
            rule=rule, sentence_of=lambda part: words.sentence(part, spoken),
            group_of=lambda part: words.of_group(part, spoken.language), used_by=uses.of(reading, found), asked=asked,
            because=because, who=pages.short_name(reading, card) if card else "",
            number=card.number if card else "",
        )  # fmt: skip


@blueprint.get("/<public_id>/edit")
@requires(*rules.MARKETING)
def edit(public_id: str) -> Page:
    """The builder with a saved segment."""
    with world().database.reading() as reading:
        found, programme = _own(reading, public_id)
        return _builder(reading, programme, forms.of_rules(found.name, found.rules), found)


@blueprint.post("/<public_id>/edit")
@requires(*rules.MARKETING)
def write_edit(public_id: str) -> Page:
    """As `write_segment`, of a saved one."""
    return _written(public_id)


@blueprint.post("/<public_id>/archive")
@requires(*rules.MARKETING)
def archive(public_id: str) -> Page:
    """Let nobody choose it any more, unless something stands on it."""
    now = world().clock()
    try:
        with world().database.unit_of_work() as writing:
            found, _programme = _own(writing, public_id)
            service.archive(writing, found, now=now)
            _note(writing, "segment_archived", found, now)
        flash(gettext("The segment is archived."), "good")
    except AppError as refusal:
        flash(i18n.translate(refusal.public), "bad")
    return redirect(url_for("marketing_segments.segment", public_id=public_id), 303)


@blueprint.get("/<public_id>.csv")
@requires(*rules.MARKETING_READ)
def members(public_id: str) -> Page:
    """The members as a file; names and contacts for those alone who may see people. Written into the audit log."""
    now = world().clock()
    with_people = current_staff().may(*rules.ADMIN)
    with world().database.unit_of_work() as writing:
        found, programme = _own(writing, public_id)
        rule = service.rule_of(writing, found)
        _note(writing, "segment_exported", found, now, with_people=with_people)
    lines = export.lines(world(), programme.id, rule, with_people=with_people, now=now)
    headers = {"Content-Disposition": f'attachment; filename="{found.public_id}.csv"', "Cache-Control": "no-store"}
    return Response(lines, mimetype="text/csv", headers=headers)


def _written(public_id: str | None) -> Page:
    action = request.form.get("do", "count")
    typed = forms.parse(request.form)
    if action == "save":
        return _saved(typed, public_id)
    builder = forms.acted(typed, action, request.form)
    with world().database.reading() as reading:
        found, programme = _own(reading, public_id) if public_id else (None, place.programme(reading))
        return _builder(reading, programme, builder, found, show_errors=action == "count")


def _saved(typed: Builder, public_id: str | None) -> Page:
    now = world().clock()
    try:
        with world().database.unit_of_work() as writing:
            made = _save(writing, typed, public_id, now)
    except AppError as refusal:
        builder = typed.wrong({path: i18n.translate(text) for path, text in refusal.errors.items()})
        with world().database.reading() as reading:
            found, programme = _own(reading, public_id) if public_id else (None, place.programme(reading))
            return _builder(reading, programme, builder, found), refusal.status
    flash(gettext("Saved."), "good")
    return redirect(url_for("marketing_segments.segment", public_id=made), 303)


def _save(writing: Session, typed: Builder, public_id: str | None, now: datetime) -> str:
    raw = forms.raw(typed)
    if public_id is None:
        draft = SegmentDraft(programme=place.programme(writing), name=typed.name, rules=raw)
        return once(writing, lambda: _made(writing, draft, now), now=now)
    found, _programme = _own(writing, public_id)
    before = {"name": found.name, "rules": found.rules}
    service.change(writing, found, name=typed.name, rules=raw, now=now)
    _note(writing, "segment_changed", found, now, before=before, rules=raw)
    return found.public_id


def _made(writing: Session, draft: SegmentDraft, now: datetime) -> str:
    made = service.create(writing, draft, by=current_staff().actor, now=now)
    _note(writing, "segment_created", made, now, rules=draft.rules)
    return made.public_id


def _builder(
    reading: Session, programme: Programme, builder: Builder, found: Segment | None, *, show_errors: bool = False
) -> str:
    beside, checked = pages.side(reading, programme, builder, now=world().clock())
    spoken = pages.speaking(reading, programme)
    return place.shown(
        "segment_edit.html", reading, programme, segment=found, builder=checked if show_errors else builder,
        side=beside, facts=pages.facts(spoken), groups=pages.groups(spoken.language),
        ops=lambda shape: pages.ops(shape, spoken.language), values=lambda shape: pages.values(shape, spoken),
        label=lambda fact: words.label(fact, spoken.language), may_nest=forms.may_nest,
    )  # fmt: skip


def _own(reading: Session, public_id: str | None) -> tuple[Segment, Programme]:
    found = service.by_id(reading, public_id or "")
    if not place.is_own(found.programme_id):
        raise NotFound("unknown_segment", gettext("There is no such segment."))
    return found, reading.get_one(Programme, found.programme_id)


def _note(
    writing: Session, action: str, found: Segment, now: datetime, *, before: dict[str, Any] | None = None, **after: Any
) -> None:
    audit.record(
        writing, actor=current_staff().actor, action=action, subject=f"segment:{found.public_id}", before=before,
        after={"name": found.name, **after}, now=now,
    )  # fmt: skip
