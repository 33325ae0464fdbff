"""Unique codes: made or brought in by the batch, downloaded once, called back."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.codes import forms
from app.admin.pages import moment, shown
from app.admin.texts import gettext
from app.cards.models import Programme
from app.coupons import batches, exchange, making
from app.coupons.batches import BatchDraft
from app.coupons.exchange import RowError
from app.coupons.models import Batch
from app.errors import AppError, NotFound, Unprocessable
from app.i18n import translate
from app.offers import drafts
from app.offers import service as offers
from app.offers.models import Offer
from app.rewards import catalogue
from app.rewards.models import Reward
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_codes", __name__, url_prefix="/admin/programmes/<slug>/codes")

MOST_IN_A_FILE = 100_000


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def listing(slug: str) -> AnyResponse:
    """All batches, and the forms that make one or bring one in."""
    return _page(_programme(slug), {}, {})


@blueprint.post("", strict_slashes=False)
@requires(*rules.ADMIN)
def make(slug: str) -> AnyResponse:
    """Ask for codes; they are made behind the page, which shows how far they are."""
    parts, programme = world(), _programme(slug)
    try:
        draft = forms.draft(request.form, programme)
        with parts.database.unit_of_work() as writing:
            _check_subject(writing, programme, draft)
            batch = batches.ask(
                writing, writing.get_one(Programme, programme.id), draft, by=current_staff().actor, now=parts.clock()
            )
            if batch.size <= batches.CHUNK:
                batches.make_chunk(writing, batch.id)
            _note(writing, "codes_made", batch, {"size": batch.size, "gives": batch.gives, "name": batch.name})
    except AppError as problem:
        return _page(programme, _errors(problem), request.form, status=problem.status)
    return redirect(url_for("admin_codes.one", slug=slug, batch_id=batch.public_id), code=303)


@blueprint.post("/bring")
@requires(*rules.ADMIN)
def bring(slug: str) -> AnyResponse:
    """Bring codes in from a CSV file: all of them, or, where that is ticked, those that can be taken."""
    parts, programme = world(), _programme(slug)
    found: tuple[RowError, ...] = ()
    try:
        content = request.files["file"].stream.read() if "file" in request.files else b""
        with parts.database.reading() as reading:
            brought = exchange.read(reading, programme.id, exchange.decoded(content))
            draft = forms.draft(request.form, programme, size=len(brought.codes))
            _check_subject(reading, programme, draft)
        found = brought.errors
        _check_file(len(brought.codes), brought.faulty)
        me = current_staff().actor
        batch_id = making.bring_in(parts, programme.id, draft, brought.codes, by=me, told=lambda _: None)
        with parts.database.unit_of_work() as writing:
            batch = batches.by_public_id(writing, batch_id)
            _note(writing, "codes_brought_in", batch, {"size": batch.made, "left_out": brought.faulty})
    except AppError as problem:
        errors = {f"own-{name}" if name != "file" else name: text for name, text in _errors(problem).items()}
        typed = {f"own-{name}": value for name, value in request.form.items()}
        return _page(programme, errors, typed, status=problem.status, rows=found)
    return redirect(url_for("admin_codes.one", slug=slug, batch_id=batch_id), code=303)


@blueprint.get("/<batch_id>")
@requires(*rules.ADMIN_READ)
def one(slug: str, batch_id: str) -> AnyResponse:
    """One batch: how far it is, how many were used, and its file."""
    programme = _programme(slug)
    with world().database.reading() as reading:
        batch = _batch(reading, programme, batch_id)
        used = batches.used_counts(reading, [batch.id]).get(batch.id, 0)
        gives = _gives(reading, batch)
    made = shown("code_batch.html", programme=programme, batch=batch, used=used, gives=gives, words=words)
    if batch.state == "making" and batch.seed is not None:
        made.headers["Refresh"] = "2"
    return made


@blueprint.post("/<batch_id>/download")
@requires(*rules.ADMIN)
def download(slug: str, batch_id: str) -> AnyResponse:
    """The codes as CSV, while they are read. When the last one has gone out nobody can tell them again."""
    parts, programme = world(), _programme(slug)
    with parts.database.unit_of_work() as writing:
        batch = _batch(writing, programme, batch_id)
        try:
            exchange.check_exportable(batch)
        except AppError as problem:
            flash(words.sentence(problem), "bad")
            return redirect(url_for("admin_codes.one", slug=slug, batch_id=batch_id), code=303)
        _note(writing, "codes_downloaded", batch, {"size": batch.made})

    def lines() -> Iterator[str]:
        yield from exchange.lines(parts.database, batch_id, now=parts.clock)

    answer = Response(lines(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="codes-{batch_id[-6:]}.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.post("/<batch_id>/revoke")
@requires(*rules.ADMIN)
def revoke(slug: str, batch_id: str) -> AnyResponse:
    """Call back what is not used yet."""
    parts, programme = world(), _programme(slug)
    with parts.database.unit_of_work() as writing:
        batch = _batch(writing, programme, batch_id)
        if batches.revoke(writing, batch, now=parts.clock()):
            _note(writing, "codes_revoked", batch, {"state": batch.state})
    flash(gettext("The codes are called back; those that were used stay used."), "good")
    return redirect(url_for("admin_codes.one", slug=slug, batch_id=batch_id), code=303)


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _batch(session: Session, programme: Programme, batch_id: str) -> Batch:
    batch = batches.by_public_id(session, batch_id)
    if batch.programme_id != programme.id:
        raise NotFound("unknown_batch", "There is no such batch of codes.")
    return batch


def _check_subject(session: Session, programme: Programme, draft: BatchDraft) -> None:
    """See that what the codes give is this programme's.

    Raises: Unprocessable `invalid_batch`; `offer_needs_sale`, if it cannot be used with a code.
    """
    found: Reward | Offer | None = None
    if draft.gives == "reward":
        found = session.scalars(select(Reward).where(Reward.public_id == draft.subject)).one_or_none()
    elif draft.gives == "offer":
        found = session.scalars(select(Offer).where(Offer.public_id == draft.subject)).one_or_none()
    else:
        return
    if found is None or found.programme_id != programme.id:
        text = gettext("Choose what a code gives.")
        raise Unprocessable("invalid_batch", text, errors={"gives": text})
    if isinstance(found, Offer):
        drafts.check_codes(found, field="gives")


def _check_file(good: int, faulty: int) -> None:
    errors = {}
    if faulty and not request.form.get("skip"):
        errors["file"] = gettext("%(num)s rows cannot be taken; nothing was brought in.", num=faulty)
    elif not good:
        errors["file"] = gettext("There is no code in this file.")
    elif good > MOST_IN_A_FILE:
        errors["file"] = gettext("Bring in at most %(most)s codes here; the command takes more.", most=MOST_IN_A_FILE)
    if errors:
        raise Unprocessable("invalid_codes", " ".join(errors.values()), errors=errors)


def _errors(problem: AppError) -> dict[str, str]:
    return {name: translate(text) for name, text in problem.errors.items()} or {"page": words.sentence(problem)}


def _note(writing: Session, action: str, batch: Batch, after: dict[str, Any]) -> None:
    audit.record(
        writing, actor=current_staff().actor, action=action, subject=f"batch:{batch.public_id}", after=after,
        now=world().clock(),
    )  # fmt: skip


def _gives(session: Session, batch: Batch) -> str:
    if batch.gives == "points":
        return gettext("%(num)s points", num=batch.points)
    if batch.gives == "offer":
        return offers.by_id(session, batch.subject).title
    return catalogue.by_public_id(session, batch.programme_id, batch.subject).name


def _page(
    programme: Programme, errors: dict[str, str], typed: Any, *, status: int = 200, rows: tuple[RowError, ...] = ()
) -> AnyResponse:
    with world().database.reading() as reading:
        found = batches.of_programme(reading, programme.id)
        used = batches.used_counts(reading, [one.id for one in found])
        listed = [(one, _gives(reading, one), used.get(one.id, 0)) for one in found]
        choices = [("points", gettext("Points"))]
        choices += [(f"reward:{one.public_id}", one.name) for one in catalogue.of_programme(reading, programme.id)]
        live = [one for one in offers.of_programme(reading, programme.id) if one.state in {"scheduled", "live"}]
        choices += [(f"offer:{one.public_id}", one.title) for one in live if drafts.takes_codes(one)]
    return shown(
        "codes.html", status=status, programme=programme, batches=listed, errors=errors, typed=typed, choices=choices,
        rows=[(one.row, one.code, translate(one.sentence)) for one in rows], most=batches.LARGEST_BATCH, when=moment,
    )  # fmt: skip
