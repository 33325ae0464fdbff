"""The rules of earning: read as sentences, changed in a draft, tried out, published with a start.

A draft is kept nowhere: it travels in the forms of its pages until it is published.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from babel.dates import format_datetime
from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import localtime, money
from app.admin import gate
from app.admin import words as admin_words
from app.admin.pages import shown
from app.admin.rules import forms, trial, words
from app.admin.rules.forms import Draft
from app.admin.rules.trial import Trial
from app.admin.texts import gettext
from app.cards.models import Programme
from app.clubs import service as clubs
from app.earning import differences, overlaps, receipts, service
from app.earning.models import RuleVersion
from app.earning.receipts import Known
from app.earning.rules import RuleSet
from app.earning.sentences import Speaker
from app.errors import AppError, NotFound, Unprocessable
from app.i18n import page_language
from app.segments import service as segments
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_rules", __name__, url_prefix="/admin/programmes/<slug>/rules")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one request adds to the draft's page: what was typed, what is wrong, and what a trial said."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    trial: Trial | None = None
    status: int = 200


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A programme with what its rules may speak of, and the version that holds now."""

    programme: Programme
    known: Known
    speaker: Speaker
    now: datetime
    versions: list[RuleVersion]
    holding: RuleVersion
    stores: list[tuple[str, str]]

    @property
    def current(self) -> RuleSet:
        return service.ruleset(self.holding, self.programme.currency)

    def meets(self, ruleset: RuleSet) -> list[str]:
        """Which rules meet, as sentences."""
        tiers = {level.name: level.factor for level in self.known.levels.values()}
        found = overlaps.overlaps(ruleset, tiers)
        return [overlaps.said(one, ruleset.stacking, self.speaker) for one in found]

    def said(self, ruleset: RuleSet) -> list[tuple[str, str]]:
        """Each rule's name and sentence."""
        return [(rule.name, self.speaker.rule(rule)) for rule in ruleset.rules]

    def when(self, at: datetime) -> str:
        """A day and time by the shop's clock, which planned versions begin by."""
        shop_s = format_datetime(self.local(at), "d MMM y, HH:mm", locale=page_language())
        return f"{shop_s} ({self.programme.timezone})"

    def local(self, at: datetime) -> datetime:
        return localtime.wall_clock(at, self.programme.timezone)


@blueprint.get("")
@requires(*rules.ADMIN_READ)
def current(slug: str) -> AnyResponse:
    """The rules that hold, and all versions."""
    subject = _subject(slug)
    ruleset = subject.current
    return shown(
        "rules.html", programme=subject.programme, subject=subject, said=subject.said(ruleset),
        meets=subject.meets(ruleset), settings=differences.settings(ruleset, subject.speaker),
    )  # fmt: skip


@blueprint.get("/versions/<int:number>")
@requires(*rules.ADMIN_READ)
def version(slug: str, number: int) -> AnyResponse:
    """One version, and what it changed."""
    subject = _subject(slug)
    found = {one.number: one for one in subject.versions}
    if number not in found:
        raise NotFound("unknown_version", "There is no such version of these rules.")
    ruleset = service.ruleset(found[number], subject.programme.currency)
    changed = []
    if number - 1 in found:
        before = service.ruleset(found[number - 1], subject.programme.currency)
        changed = differences.differences(before, ruleset, subject.speaker)
    return shown(
        "rules_version.html", programme=subject.programme, subject=subject, version=found[number], changed=changed,
        said=subject.said(ruleset), meets=subject.meets(ruleset),
        settings=differences.settings(ruleset, subject.speaker),
    )  # fmt: skip


@blueprint.get("/draft")
@requires(*rules.ADMIN)
def new_draft(slug: str) -> AnyResponse:
    """A draft that begins as the last version, or as the one that is asked for; with a day of double points to add."""
    subject = _subject(slug)
    asked = request.args.get("from", type=int)
    start = next((one for one in subject.versions if one.number == asked), subject.versions[0])
    draft = Draft(rules=service.raw(start), based_on=subject.versions[0].number)
    if double := forms.double_day(request.args.get("double_on", ""), gettext("Double points")):
        return _rule_page(subject, draft, None, double, {})
    return _workbench(subject, draft, Page())


@blueprint.post("/draft")
@requires(*rules.ADMIN)
def change_draft(slug: str) -> AnyResponse:
    """One step of a draft: a rule opened, kept or taken out, settings, a trial, or its publication."""
    subject = _subject(slug)
    draft = forms.draft_of(request.form)
    step, _, which = request.form.get("do", "").partition(":")
    try:
        _checked(subject, draft)
        if step == "publish":
            return _publish(subject, draft)
        if step == "settings":
            return _settings_step(subject, draft)
        if step == "try":
            return _workbench(subject, draft, Page(typed=request.form, trial=_tried(subject, draft)))
        return _rule_step(subject, draft, step, forms.place(which, draft))
    except AppError as problem:
        return _workbench(subject, draft, _refused(problem))


def _rule_step(subject: Subject, draft: Draft, step: str, at: int | None) -> AnyResponse:
    """A rule opened in its form, kept as typed, or taken out."""
    kind = request.form.get("kind", "")
    if step == "new" and kind in forms.KINDS:
        return _rule_page(subject, draft, None, {"kind": kind}, {})
    if step == "open" and at is not None:
        return _rule_page(subject, draft, at, forms.typed(draft.rules["rules"][at]), {})
    if step == "keep" and kind in forms.KINDS:
        return _kept(subject, draft, at, kind)
    changed = draft.without_rule(at) if step == "remove" and at is not None else draft
    return _workbench(subject, changed, Page())


def _kept(subject: Subject, draft: Draft, at: int | None, kind: str) -> AnyResponse:
    rule = forms.rule_of(
        request.form, kind, stores=[one for one, _ in subject.stores], tiers=_tiers(subject), occasions=words.OCCASIONS
    )
    changed = draft.with_rule(at, rule)
    number = len(draft.rules.get("rules", [])) if at is None else at
    try:
        _checked(subject, changed)
    except Unprocessable as problem:
        no_end = gettext("Give it a last day under “When”, or tick this.")
        errors = admin_words.field_errors(problem, {f"rules.{number}.no_end": no_end})
        own = {name.removeprefix(f"rules.{number}."): text for name, text in errors.items()}
        return _rule_page(subject, draft, at, request.form, own, status=problem.status)
    return _workbench(subject, changed, Page())


def _settings_step(subject: Subject, draft: Draft) -> AnyResponse:
    changed = Draft(rules=forms.settings_of(request.form, draft.rules), based_on=draft.based_on)
    try:
        _checked(subject, changed)
    except Unprocessable as problem:
        errors = admin_words.field_errors(problem, {})
        return _workbench(subject, draft, Page(typed=request.form, errors=errors, status=problem.status))
    return _workbench(subject, changed, Page())


def _tried(subject: Subject, draft: Draft) -> Trial:
    sent = request.files.get("receipts")
    content = sent.read() if sent and sent.filename else b""
    ruleset = service.ruleset_of(draft.rules, subject.programme.currency)
    with world().database.reading() as reading:
        return trial.run(
            reading, subject.programme, ruleset, subject.current, known=subject.known, content=content,
            form=request.form, now=subject.now,
        )  # fmt: skip


def _publish(subject: Subject, draft: Draft) -> AnyResponse:
    programme = subject.programme
    starts_at = forms.start_of(request.form, programme.timezone)
    me, now = current_staff(), world().clock()
    with world().database.unit_of_work() as writing:
        made = service.publish(
            writing, programme, draft.rules, starts_at=starts_at, note=request.form.get("note", ""), by=me.actor,
            now=now, based_on=draft.based_on,
        )  # fmt: skip
        before = service.ruleset(subject.versions[0], programme.currency)
        changed = differences.differences(
            before, service.ruleset(made, programme.currency), Speaker("en", programme.currency)
        )
        audit.record(
            writing, actor=me.actor, action="rules_published", subject=f"programme:{programme.public_id}",
            before={one.name: one.before for one in changed},
            after={"number": made.number, "starts_at": made.starts_at.isoformat()}
            | {one.name: one.after for one in changed},
            reason=made.note, now=now,
        )  # fmt: skip
    flash(
        gettext("Version %(number)s is published. Booked sales keep the rules of their time.", number=made.number),
        "good",
    )
    return redirect(url_for("admin_rules.current", slug=programme.slug), code=303)


def _checked(subject: Subject, draft: Draft) -> RuleSet:
    with world().database.reading() as reading:
        return service.checked(reading, subject.programme, draft.rules, now=subject.now)


def _refused(problem: AppError) -> Page:
    errors = admin_words.field_errors(problem, {})
    known = {name: text for name, text in errors.items() if name in words.labels()}
    refusal = "" if known else admin_words.sentence(problem)
    return Page(typed=request.form, errors=known, refusal=refusal, status=problem.status)


def _workbench(subject: Subject, draft: Draft, page: Page) -> AnyResponse:
    """The draft with its rules, what they change and how they meet."""
    programme = subject.programme
    try:
        ruleset = service.ruleset_of(draft.rules, programme.currency)
    except Unprocessable:
        # only a page that somebody has tampered with sends such a draft
        raise Unprocessable("invalid_rules", "This draft is damaged. Open the rules again and begin anew.") from None
    last = service.ruleset(subject.versions[0], programme.currency)
    return shown(
        "rules_draft.html", status=page.status, programme=programme, subject=subject, draft=draft, page=page,
        errors=page.errors, typed=page.typed, said=subject.said(ruleset), meets=subject.meets(ruleset),
        changed=differences.differences(last, ruleset, subject.speaker), labels=words.labels(), kinds=words.kinds(),
        settings=differences.settings(ruleset, subject.speaker),
        settings_typed=page.typed if request.form.get("do") == "settings" and page.errors
        else forms.settings_typed(draft.rules),
        superseded=service.superseded(subject.versions, starts_at=subject.now, now=subject.now),
        trial=page.trial, soonest=subject.local(subject.now).strftime("%Y-%m-%dT%H:%M"),
        example=money.example(programme.currency),
    )  # fmt: skip


def _rule_page(
    subject: Subject, draft: Draft, at: int | None, typed: Mapping[str, str], errors: Mapping[str, str], *,
    status: int = 200,
) -> AnyResponse:  # fmt: skip
    """The form of one rule."""
    kind = typed.get("kind", "amount")
    return shown(
        "rule.html", status=status, programme=subject.programme, draft=draft, at=at, kind=kind, typed=typed,
        errors=errors, labels=words.labels(), title=words.title(kind), own=forms.OWN[kind],
        has_products=kind in forms.WITH_PRODUCTS, window_rows=range(forms.WINDOW_ROWS),
        band_rows=range(forms.BAND_ROWS), stores=subject.stores, tiers=_tiers(subject), periods=words.periods(),
        occasions=[(one, subject.speaker.occasion(one)) for one in words.OCCASIONS],
        weekdays=[(day, subject.speaker.weekday(day)) for day in range(1, 8)],
        example=money.example(subject.programme.currency),
    )  # fmt: skip


def _tiers(subject: Subject) -> list[str]:
    return list(dict.fromkeys(level.name for level in subject.known.levels.values()))


def _subject(slug: str) -> Subject:
    programme = gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")
    now = world().clock()
    with world().database.reading() as reading:
        return _read(reading, programme, now)


def _read(reading: Session, programme: Programme, now: datetime) -> Subject:
    stores = service.store_names(reading, programme)
    return Subject(
        programme=programme,
        known=receipts.known(reading, programme),
        speaker=Speaker(page_language(), programme.currency, _names(reading, programme, stores)),
        now=now,
        versions=service.published(reading, programme),
        holding=service.holding(reading, programme, now=now),
        stores=sorted(stores.items(), key=lambda one: one[1]),
    )


def _names(reading: Session, programme: Programme, stores: dict[str, str]) -> dict[str, str]:
    """What rules name by ids, as people call it."""
    return stores | clubs.segment_names(reading, programme.id) | segments.names(reading, programme.id)
