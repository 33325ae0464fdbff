"""The card designer: colours, texts and pictures; tried out first, then published to every card."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from app.admin import certificates, gate, words
from app.admin.look import forms, preview
from app.admin.look import subject as subjects
from app.admin.look.preview import Choice, Preview
from app.admin.look.subject import Subject
from app.admin.pages import shown
from app.admin.texts import gettext
from app.cards import pictures, programmes
from app.cards.models import Programme
from app.errors import AppError, Busy, Conflict, Unprocessable
from app.i18n import LANGUAGES, NAMES, page_language
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.wallets.apple.identities import Severity
from app.web import world

blueprint = Blueprint("admin_look", __name__, url_prefix="/admin/programmes/<slug>/look")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one request adds to the designer: what was typed, what is wrong, and why nothing was published."""

    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    is_preview: bool = False
    status: int = 200


@blueprint.get("")
@requires(*rules.ADMIN_READ)
def look(slug: str) -> AnyResponse:
    """The published look, ready to be changed."""
    programme = _programme(slug)
    shown_as = {name: request.args.get(name, "") for name in ("shown_in", "shown_tier")}
    return _designer(programme, Page(typed=forms.typed(programmes.design_of(programme)) | shown_as))


@blueprint.post("")
@requires(*rules.ADMIN)
def submit(slug: str) -> AnyResponse:
    """Preview (nothing is kept), or publish to every card."""
    programme = _programme(slug)
    form = forms.parse(request.form, programmes.design_of(programme))
    if form.design is None:
        return _designer(programme, Page(typed=request.form, errors=form.errors, status=422))
    if request.form.get("do") != "publish":
        return _designer(programme, Page(typed=request.form, is_preview=True))
    try:
        _check_publishable(programme, form)
        with world().database.unit_of_work() as writing:
            row = _locked(writing, programme, published=form.published)
            before = dict(row.design)
            programmes.change_design(writing, row, form.design, now=world().clock())
            after = form.design.as_json()
            changed = [name for name in after if after[name] != before.get(name)]
            _note(writing, row, {n: before.get(n) for n in changed}, {n: after[n] for n in changed})
    except AppError as problem:
        return _designer(programme, Page(typed=request.form, refusal=words.sentence(problem), status=problem.status))
    flash(gettext("Published. Cards are being brought up to the new look; serials and barcodes stay."), "good")
    return redirect(url_for("admin_look.look", slug=slug), code=303)


@blueprint.post("/pictures/<slot>")
@requires(*rules.ADMIN)
def upload(slug: str, slot: str) -> AnyResponse:
    """Put one picture in place, on every card."""
    programme = _programme(slug)
    typed = forms.typed(programmes.design_of(programme))
    try:
        sent = request.files.get("picture")
        content = sent.read(pictures.LARGEST_BYTES + 1) if sent else b""
        if not content:
            raise _picture_refused(slot, gettext("Choose a picture first."))
        pictures.checked(slot, content)
        _check_certificate(programme)
        with world().database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id, with_for_update=True)
            asset = programmes.put_picture(writing, row, slot, content, now=world().clock())
            _note(writing, row, {}, {slot: asset.sha256})
    except Unprocessable as problem:
        errors = {name: _picture_words(slot, text) for name, text in problem.errors.items()}
        return _designer(programme, Page(typed=typed, errors=errors, status=problem.status))
    except AppError as problem:
        return _designer(programme, Page(typed=typed, refusal=words.sentence(problem), status=problem.status))
    flash(gettext("The picture is in place and on its way to every card."), "good")
    return redirect(url_for("admin_look.look", slug=slug, _anchor="pictures"), code=303)


@blueprint.errorhandler(RequestEntityTooLarge)
@requires(*rules.ADMIN)
def too_large(_problem: RequestEntityTooLarge) -> AnyResponse:
    """A picture that is larger than any request may be is refused where it was chosen."""
    programme = _programme(str((request.view_args or {})["slug"]))
    slot = str((request.view_args or {}).get("slot", "logo"))
    errors = {slot: gettext("A picture has at most 2 MB; save it smaller.")}
    return _designer(programme, Page(typed=forms.typed(programmes.design_of(programme)), errors=errors, status=413))


def _designer(programme: Programme, page: Page) -> AnyResponse:
    """The form beside both faces. What cannot be drawn yet is shown as it is published."""
    parts, now = world(), world().clock()
    with parts.database.reading() as reading:
        subject = subjects.read(reading, programme, now=now)
    design = forms.parse(page.typed, programmes.design_of(programme)).design
    choice = _choice(page.typed, subject, programme)
    drawn = preview.draw(parts, subject, design or programmes.design_of(programme), choice)
    finding = certificates.finding_of(parts, programme, now=now)
    return shown(
        "look.html", status=page.status, programme=programme, page=page, errors=page.errors, typed=page.typed,
        preview=drawn, shows_published=design is None, choice=choice, subject=subject, finding=finding,
        is_broken=finding.severity is Severity.BROKEN, languages=[(one, NAMES[one]) for one in LANGUAGES],
        tiers=[(str(one.id), one.name_in(page_language())) for one in subject.view.programme.tiers],
        texts=_text_labels(), slots=_slots(), address=preview.address,
        published=page.typed.get("published") or programme.design_version,
    )  # fmt: skip


def _choice(asked: Mapping[str, str], subject: Subject, programme: Programme) -> Choice:
    """Language and tier of the preview: what was asked for, else the programme's language and the card's tier."""
    language = asked.get("shown_in", "")
    by_id = {str(one.id): one for one in subject.view.programme.tiers}
    return Choice(
        language=language if language in LANGUAGES else programme.language,
        tier=by_id.get(asked.get("shown_tier", ""), subject.view.tier),
    )


def _check_publishable(programme: Programme, form: forms.LookForm) -> None:
    """Raises: Busy `no_pass_certificate`, or Unprocessable `unusable_look` with what the wallets would refuse."""
    _check_certificate(programme)
    parts = world()
    with parts.database.reading() as reading:
        subject = subjects.read(reading, programme, now=parts.clock())
    if form.design is not None:
        drawn: Preview = preview.draw(parts, subject, form.design, _choice(request.form, subject, programme))
        if drawn.blocks:
            found = next(one for one in drawn.remarks if one.tone == "bad")
            raise Unprocessable("unusable_look", f"{found.where}: {found.text}. {found.hint}".strip())


def _check_certificate(programme: Programme) -> None:
    finding = certificates.finding_of(world(), programme, now=world().clock())
    if finding.severity is Severity.BROKEN:
        raise Busy("no_pass_certificate", f"{finding.sentence} {finding.hint}")


def _locked(writing: Session, programme: Programme, *, published: int) -> Programme:
    row = writing.get_one(Programme, programme.id, with_for_update=True)
    if row.design_version != published:
        text = gettext("Somebody published another look while you were editing. Compare with it, then publish again.")
        raise Conflict("look_changed", text)
    return row


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _note(writing: Session, programme: Programme, before: dict[str, object], after: dict[str, object]) -> None:
    audit.record(
        writing, actor=current_staff().actor, action="look_published", subject=f"programme:{programme.public_id}",
        before=before, after=after, now=world().clock(),
    )  # fmt: skip


def _picture_refused(slot: str, text: str) -> Unprocessable:
    return Unprocessable("invalid_picture", text, errors={slot: text})


def _picture_words(slot: str, text: str) -> str:
    known = {
        "This is not a PNG or JPEG picture, or it is damaged.": gettext(
            "This is not a PNG or JPEG picture, or it is damaged."
        ),
        "A picture has at most 2 MB; save it smaller.": gettext("A picture has at most 2 MB; save it smaller."),
        "A picture has at most 4 million pixels; save it smaller.": gettext(
            "A picture has at most 4 million pixels; save it smaller."
        ),
    }
    return known.get(text, text) if slot in pictures.SLOTS else text


def _text_labels() -> list[tuple[str, str, str, bool]]:
    """Name, label, hint and whether it is long, of each text that has a field for every language."""
    return [
        ("points_label", gettext("What points are called"), gettext("Nine letters fit on every phone."), False),
        ("benefit", gettext("Benefit, in one sentence"), gettext("On the join page and the poster."), False),
        ("about", gettext("How to use the card"), gettext("On the back of the card."), True),
        ("terms", gettext("Terms"), gettext("On the back of the card and before joining."), True),
    ]


def _slots() -> list[tuple[str, str, str]]:
    """Name, label and size of each picture."""
    sizes = {
        "icon": gettext("a square of at least 87 × 87 pixels"),
        "logo": gettext("a square of at least 660 × 660 pixels"),
        "strip": gettext("at least 1125 × 432 pixels"),
        "hero": gettext("at least 1032 × 336 pixels"),
    }
    labels = {
        "icon": gettext("Icon: on the lock screen of iPhones"),
        "logo": gettext("Logo: on both wallets"),
        "strip": gettext("Strip: behind the large text in Apple Wallet"),
        "hero": gettext("Hero: along the bottom in Google Wallet"),
    }
    return [(slot, labels[slot], sizes[slot]) for slot in ("logo", "icon", "strip", "hero")]
