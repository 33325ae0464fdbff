"""Changes for many cards, those that run and the latest that are over."""

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.pages import in_words, shown
from app.admin.texts import gettext
from app.cards import expansion
from app.cards.models import Expansion
from app.delivery import reach
from app.errors import Conflict
from app.offers.models import Offer
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_changes", __name__, url_prefix="/admin")

REFRESH_S = "10"


@blueprint.get("/changes")
@requires(*rules.ADMIN_READ)
def changes() -> AnyResponse:
    """What is on its way to many cards, and what was."""
    parts, now = world(), world().clock()
    with parts.database.reading() as reading:
        programmes = {one.id: one.name for one in gate.visible(reading, current_staff())}
        found = expansion.latest(reading, sorted(programmes))
        rows = []
        for one in found:
            progress = expansion.progress(reading, one, now=now)
            left_s = reach.seconds_left(reading, progress, parts.settings)
            rows.append((progress, "" if left_s is None else in_words(left_s), _offer(reading, one)))
    page = shown("changes.html", rows=rows, programmes=programmes)
    if any(one.finished_at is None for one in found):
        page.headers["Refresh"] = REFRESH_S
    return page


@blueprint.post("/changes/<int:change_id>/stop")
@requires(*rules.ADMIN)
def stop(change_id: int) -> AnyResponse:
    """Touch no further card."""
    parts, me, now = world(), current_staff(), world().clock()
    with parts.database.reading() as reading:
        programme_id = expansion.by_id(reading, change_id).programme_id
    gate.check_programme(parts, me, programme_id, subject=f"{request.method} {request.path}")
    try:
        with parts.database.unit_of_work() as writing:
            expansion.stop(writing, change_id, by=me.actor, now=now)
            audit.record(writing, actor=me.actor, action="bulk_change_stopped", subject=f"change:{change_id}", now=now)
        flash(gettext("Stopped. No further card is changed."), "good")
    except Conflict as refusal:
        flash(words.sentence(refusal), "bad")
    return redirect(url_for("admin_changes.changes"), code=303)


def _offer(reading: Session, one: Expansion) -> Offer | None:
    return reading.get(Offer, one.offer_id) if one.offer_id is not None else None
