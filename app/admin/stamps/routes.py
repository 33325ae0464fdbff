"""Stamp cards of a programme: made, looked at, changed and ended."""

from collections.abc import Mapping, Sequence

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.pages import shown
from app.admin.stamps import forms
from app.admin.stamps.forms import Sample
from app.admin.texts import gettext
from app.cards.models import Programme, Store
from app.errors import AppError, Conflict, NotFound, Unprocessable
from app.i18n import LANGUAGES, NAMES
from app.staff import audit
from app.staff import rules as roles
from app.staff.guards import current_staff, requires
from app.stamps import service
from app.stamps.models import StampCard
from app.web import world

blueprint = Blueprint("admin_stamps", __name__, url_prefix="/admin/programmes/<slug>/stamps")

LANGUAGE_NAMES = [(one, NAMES[one]) for one in LANGUAGES]
NEW = {"size": "10", "gives": "visit", "item_kind": "any", "reward_kind": "item", "cool_down_min": "10"}


@blueprint.get("", strict_slashes=False)
@requires(*roles.ADMIN_READ)
def listing(slug: str) -> AnyResponse:
    """All stamp cards, and the form of a new one."""
    return _list_page(_programme(slug), {}, NEW, ())


@blueprint.post("", strict_slashes=False)
@requires(*roles.ADMIN)
def create(slug: str) -> AnyResponse:
    """Make a stamp card, or show how it would look."""
    programme, parts = _programme(slug), world()
    chosen = request.form.getlist("stores")
    try:
        wanted = forms.draft(request.form, chosen, programme, _stores(programme))
        if request.form.get("do") == "preview":
            return _list_page(programme, {}, request.form, chosen, samples=forms.samples(wanted))
        with parts.database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id, with_for_update=True)
            wanted = forms.draft(request.form, chosen, row, _stores(programme))
            made = service.create(writing, wanted, by=current_staff().actor, now=parts.clock())
            _note(writing, made, "stamp_card_created", name=made.name, size=made.size)
    except Unprocessable as problem:
        return _list_page(programme, _by_field(problem), request.form, chosen, status=problem.status)
    flash(gettext("%(name)s is made; cards will show it.", name=made.name), "good")
    return redirect(url_for("admin_stamps.listing", slug=slug), code=303)


@blueprint.get("/<public_id>")
@requires(*roles.ADMIN_READ)
def one(slug: str, public_id: str) -> AnyResponse:
    """One stamp card, to be changed."""
    programme = _programme(slug)
    with world().database.reading() as reading:
        row = _own(reading, programme, public_id)
        typed, chosen = forms.typed(row), _chosen(reading, row)
    return _one_page(programme, public_id, {}, typed, chosen)


@blueprint.post("/<public_id>")
@requires(*roles.ADMIN)
def change(slug: str, public_id: str) -> AnyResponse:
    """Say anew what it says, or show how it would look."""
    programme, parts = _programme(slug), world()
    chosen = request.form.getlist("stores")
    try:
        wanted = forms.draft(request.form, chosen, programme, _stores(programme))
        if request.form.get("do") == "preview":
            return _one_page(programme, public_id, {}, request.form, chosen, samples=forms.samples(wanted))
        with parts.database.unit_of_work() as writing:
            row = _own(writing, programme, public_id)
            before = {"name": row.name, "size": row.size, "reward": row.reward}
            service.change(
                writing, row, forms.draft(request.form, chosen, row.programme, _stores(programme)), now=parts.clock()
            )
            _note(writing, row, "stamp_card_changed", before=before, name=row.name, size=row.size, reward=row.reward)
    except (Unprocessable, Conflict) as problem:
        return _one_page(programme, public_id, _by_field(problem), request.form, chosen, status=problem.status)
    flash(gettext("Saved; cards will show it."), "good")
    return redirect(url_for("admin_stamps.one", slug=slug, public_id=public_id), code=303)


@blueprint.post("/<public_id>/end")
@requires(*roles.ADMIN)
def end(slug: str, public_id: str) -> AnyResponse:
    """Give no more stamps on it; rewards that were reached stay."""
    programme, parts = _programme(slug), world()
    with parts.database.unit_of_work() as writing:
        row = _own(writing, programme, public_id)
        service.end(writing, row, now=parts.clock())
        _note(writing, row, "stamp_card_ended", name=row.name)
    flash(gettext("%(name)s gives no more stamps. Rewards that were reached stay usable.", name=row.name), "good")
    return redirect(url_for("admin_stamps.listing", slug=slug), code=303)


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _own(session: Session, programme: Programme, public_id: str) -> StampCard:
    found = service.by_id(session, public_id)
    if found.programme_id != programme.id:
        raise NotFound("unknown_stamp_card", "There is no such stamp card.")
    return found


def _stores(programme: Programme) -> Sequence[Store]:
    with world().database.reading() as reading:
        return reading.scalars(select(Store).where(Store.programme_id == programme.id).order_by(Store.name)).all()


def _chosen(reading: Session, row: StampCard) -> Sequence[str]:
    return reading.scalars(select(Store.public_id).where(Store.id.in_(row.stores))).all() if row.stores else ()


def _by_field(problem: AppError) -> dict[str, str]:
    sentences = words.field_errors(problem, {})
    return forms.by_field(problem, sentences) if sentences else {"name": words.sentence(problem)}


def _note(
    writing: Session, row: StampCard, action: str, *, before: dict[str, object] | None = None, **after: object
) -> None:
    audit.record(
        writing, actor=current_staff().actor, action=action, subject=f"stamp_card:{row.public_id}", before=before,
        after=after, now=world().clock(),
    )  # fmt: skip


def _list_page(
    programme: Programme, errors: dict[str, str], typed: Mapping[str, str], chosen: Sequence[str], *,
    samples: Sequence[Sample] = (), status: int = 200,
) -> AnyResponse:  # fmt: skip
    with world().database.reading() as reading:
        found = service.of_programme(reading, programme.id)
        begun = {one.id: service.members_with_stamps(reading, one) for one in found}
    return shown(
        "stamps.html", status=status, programme=programme, stamp_cards=found, begun=begun, errors=errors, typed=typed,
        chosen=set(chosen), samples=samples, stores=_stores(programme), languages=LANGUAGE_NAMES, words=words,
    )  # fmt: skip


def _one_page(
    programme: Programme, public_id: str, errors: dict[str, str], typed: Mapping[str, str], chosen: Sequence[str], *,
    samples: Sequence[Sample] = (), status: int = 200,
) -> AnyResponse:  # fmt: skip
    with world().database.reading() as reading:
        row = _own(reading, programme, public_id)
        begun = service.members_with_stamps(reading, row)
    return shown(
        "stamp_card.html", status=status, programme=programme, row=row, begun=begun, errors=errors, typed=typed,
        chosen=set(chosen), samples=samples, stores=_stores(programme), languages=LANGUAGE_NAMES, words=words,
    )  # fmt: skip
