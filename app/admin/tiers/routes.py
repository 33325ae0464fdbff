"""Tiers of a programme: changed after a look at who would move, and given to a card by hand."""

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate
from app.admin.pages import shown
from app.admin.texts import gettext
from app.admin.tiers import forms
from app.admin.tiers.forms import Typed
from app.cards import codes
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.errors import AppError, Conflict, NotFound, Unprocessable
from app.i18n import page_language, translate
from app.staff import audit
from app.staff import rules as roles
from app.staff.guards import current_staff, requires
from app.tiers import changing, service
from app.tiers.changing import Moves
from app.tiers.service import Granting
from app.web import world

blueprint = Blueprint("admin_tiers", __name__, url_prefix="/admin/programmes/<slug>/tiers")


@blueprint.get("", strict_slashes=False)
@requires(*roles.ADMIN_READ)
def tiers(slug: str) -> AnyResponse:
    """Tiers, their rules, and the form of a grant."""
    return _page(_programme(slug), grant={"card": request.args.get("card", "")[:30]})


@blueprint.post("", strict_slashes=False)
@requires(*roles.ADMIN)
def change(slug: str) -> AnyResponse:
    """Change tiers and rules, or show who would move."""
    programme, parts = _programme(slug), world()
    rows = len(programme.tiers) + forms.NEW_ROWS
    typed: Typed | None = None
    try:
        typed = forms.parse(request.form, programme, rows=rows)
        if request.form.get("do") != "save":
            return _page(programme, typed=request.form, moves=_previewed(programme, typed))
        with parts.database.unit_of_work() as writing:
            _save(writing, changing.locked(writing, programme.id), typed)
    except (Unprocessable, Conflict) as problem:
        errors = {
            name: translate(text) for name, text in (typed.on_the_page(problem) if typed else problem.errors).items()
        }
        return _page(programme, typed=request.form, errors=errors, refusal=problem, status=problem.status)
    flash(gettext("Saved. Cards are brought to it within minutes."), "good")
    return redirect(url_for("admin_tiers.tiers", slug=slug), code=303)


@blueprint.post("/grant")
@requires(*roles.ADMIN)
def grant(slug: str) -> AnyResponse:
    """Give a card a tier by hand until a day, or take it back."""
    programme, parts = _programme(slug), world()
    try:
        with parts.database.unit_of_work() as writing:
            card = _card(writing, programme, request.form.get("card", ""))
            text = _take_back(writing, card) if request.form.get("do") == "end" else _give(writing, card)
    except (Unprocessable, Conflict, NotFound) as problem:
        errors = {name: translate(words) for name, words in problem.errors.items()}
        return _page(programme, grant=request.form, errors=errors, refusal=problem, status=problem.status)
    flash(text, "good")
    return redirect(url_for("admin_deliveries.card", number=card.number), code=303)


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _previewed(programme: Programme, typed: Typed) -> Moves:
    with world().database.reading() as reading:
        row = reading.get_one(Programme, programme.id)
        planned = changing.plan(reading, row, typed.drafts, typed.policy)
        return changing.preview(reading, row, planned, now=world().clock())


def _save(writing: Session, row: Programme, typed: Typed) -> None:
    before = forms.values(changing.drafts_of(row, policy := changing.policy_of(writing, row.id)), policy)
    changing.save(writing, row, changing.plan(writing, row, typed.drafts, typed.policy), now=world().clock())
    after = forms.values(typed.drafts, typed.policy)
    audit.record(
        writing, actor=current_staff().actor, action="tiers_changed", subject=f"programme:{row.public_id}",
        before={name: text for name, text in before.items() if after.get(name) != text},
        after={name: text for name, text in after.items() if before.get(name) != text}, now=world().clock(),
    )  # fmt: skip


def _card(session: Session, programme: Programme, number: str) -> Card:
    found = cards.by_number(session, number[:30], programme_id=programme.id)
    if found is None:
        text = "There is no card with this number in this programme."
        raise NotFound("unknown_card", text, errors={"card": text})
    return found


def _give(writing: Session, card: Card) -> str:
    tier = next((one for one in card.programme.tiers if str(one.id) == request.form.get("tier")), None)
    granting = Granting(
        tier_id=tier.id if tier else 0, until=forms.day(request.form.get("until", "")),
        reason=request.form.get("reason", ""), by=current_staff().actor,
    )  # fmt: skip
    service.grant(writing, card, granting, now=world().clock())
    after = {"tier": tier.name if tier else "", "until": granting.until.isoformat()}
    _note(writing, card, "tier_granted", after=after, reason=granting.reason.strip())
    return gettext("%(card)s has the tier until that day.", card=codes.grouped(card.number))


def _take_back(writing: Session, card: Card) -> str:
    if service.take_grant_back(writing, card, now=world().clock()):
        _note(writing, card, "tier_grant_ended", after={})
        return gettext("The tier given by hand is taken back.")
    return gettext("No tier was given to this card by hand; nothing was changed.")


def _note(writing: Session, card: Card, action: str, *, after: dict[str, str], reason: str = "") -> None:
    audit.record(
        writing, actor=current_staff().actor, action=action, subject=f"card:{card.serial}", after=after or None,
        reason=reason, now=world().clock(),
    )  # fmt: skip


def _page(
    programme: Programme, *, typed: Mapping[str, str] | None = None, grant: Mapping[str, str] | None = None,
    moves: Moves | None = None, errors: Mapping[str, str] | None = None, refusal: AppError | None = None,
    status: int = 200,
) -> AnyResponse:  # fmt: skip
    with world().database.reading() as reading:
        policy = changing.policy_of(reading, programme.id)
        members = changing.members_by_tier(reading, programme.id)
        is_recalculating = changing.is_recalculating(reading, programme.id)
    drafts = changing.drafts_of(programme, policy)
    said = translate(refusal.public) if refusal is not None and not refusal.errors else ""
    return shown(
        "tiers.html", status=status, programme=programme, typed=typed or forms.values(drafts, policy),
        members=[members.get(draft.id, 0) for draft in drafts], rows=range(len(drafts) + forms.NEW_ROWS),
        choices=forms.choices(), grant=grant or {}, moves=moves, errors=errors or {}, refusal=said,
        is_recalculating=is_recalculating, language=page_language(),
    )  # fmt: skip
