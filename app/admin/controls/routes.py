"""What looks wrong, corrections that wait for a second person, limits, and whose cards got most."""

from datetime import UTC, datetime, timedelta

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.controls import forms, rows
from app.admin.pages import moment, shown
from app.admin.texts import gettext
from app.cards.models import Programme
from app.counter import adjusting
from app.counter.adjusting import Person
from app.counter.moves import Actor
from app.errors import AppError, NotFound, Unprocessable
from app.fraud import rules as limits
from app.fraud import service as fraud
from app.fraud import watching
from app.i18n import translate
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_controls", __name__, url_prefix="/admin/programmes/<slug>")

DECIDE = (*rules.ADMIN, "support")


@blueprint.get("/notices")
@requires(*rules.ADMIN_READ)
def notices(slug: str) -> AnyResponse:
    """Corrections that wait, and what looks wrong; with ?dismissed=yes what was dismissed."""
    return _notices_page(_programme(slug))


@blueprint.post("/notices/<notice_id>/dismiss")
@requires(*DECIDE)
def dismiss(slug: str, notice_id: str) -> AnyResponse:
    """Take a false alarm off the list, with the reason."""
    programme, parts, me = _programme(slug), world(), current_staff()
    because = request.form.get("reason", "")
    try:
        with parts.database.unit_of_work() as writing:
            done = fraud.dismiss(writing, programme.id, notice_id, because=because, by=me.actor, now=parts.clock())
            audit.record(
                writing, actor=me.actor, action="notice_dismissed", subject=f"notice:{done.public_id}",
                after={"kind": done.kind}, reason=because.strip(), now=parts.clock(),
            )  # fmt: skip
    except AppError as problem:
        return _notices_page(programme, problem, at=notice_id)
    flash(gettext("The notice is dismissed; the reason is kept with it."), "good")
    return redirect(url_for("admin_controls.notices", slug=slug), code=303)


@blueprint.post("/corrections/<adjustment_id>/<verdict>")
@requires(*DECIDE)
def decide(slug: str, adjustment_id: str, verdict: str) -> AnyResponse:
    """Approve or refuse a correction that somebody else has asked for."""
    programme, parts, me = _programme(slug), world(), current_staff()
    work = {"approve": adjusting.approve, "refuse": adjusting.refuse}.get(verdict)
    if work is None:
        raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")
    person = Person(by=Actor(name=me.actor, channel="page"), role=me.role)

    def decided(writing: Session) -> None:
        found = adjusting.named(writing, adjustment_id)
        if found.programme_id != programme.id:
            raise NotFound("unknown_adjustment", "There is no such correction. Open the list again.")
        work(writing, found, person, now=parts.clock())

    try:
        parts.database.transact(decided)
    except AppError as problem:
        return _notices_page(programme, problem, at=adjustment_id)
    flash(
        gettext("The correction is booked.") if verdict == "approve" else gettext("The correction is refused."), "good"
    )
    return redirect(url_for("admin_controls.notices", slug=slug), code=303)


@blueprint.get("/limits")
@requires(*rules.ADMIN_READ)
def limits_page(slug: str) -> AnyResponse:
    """What is refused, what is told, and what each role corrects alone."""
    programme = _programme(slug)
    return shown("limits.html", programme=programme, errors={}, typed=_typed(programme), roles=_roles())


@blueprint.post("/limits")
@requires(*rules.ADMIN)
def change_limits(slug: str) -> AnyResponse:
    """Set them, in force from the next purchase on."""
    programme, parts = _programme(slug), world()
    try:
        wanted = forms.limits(request.form)
        with parts.database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id, with_for_update=True)
            before = limits.plain(limits.read(row.limits))
            after = fraud.change_limits(writing, row, wanted)
            audit.record(
                writing, actor=current_staff().actor, action="limits_changed",
                subject=f"programme:{row.public_id}",
                before={name: value for name, value in before.items() if after[name] != value},
                after={name: value for name, value in after.items() if before[name] != value}, now=parts.clock(),
            )  # fmt: skip
    except Unprocessable as problem:
        errors = {name: translate(text) for name, text in problem.errors.items()}
        return shown(
            "limits.html", status=problem.status, programme=programme, errors=errors, typed=request.form,
            roles=_roles(),
        )  # fmt: skip
    flash(gettext("The limits are in force from the next purchase on."), "good")
    return redirect(url_for("admin_controls.limits_page", slug=slug), code=303)


@blueprint.get("/top-cards")
@requires(*rules.ADMIN_READ)
def top_cards(slug: str) -> AnyResponse:
    """The ten cards that each person at the till gave most to, thirty days at a time."""
    programme, now = _programme(slug), world().clock()
    until = _until(request.args.get("until", ""), now)
    with world().database.reading() as reading:
        found = watching.top_cards(reading, programme.id, until=until)
        names = watching.names_of(reading, found)
    since = until - watching.PERIOD
    return shown(
        "top_cards.html", programme=programme, people=rows.top(found, names), since=moment(since),
        until=moment(until), is_now=until >= now, earlier=since.strftime("%Y-%m-%dT%H:%M"),
    )  # fmt: skip


def _until(typed: str, now: datetime) -> datetime:
    """The end of the thirty days: what the address asks for, else now."""
    try:
        asked = datetime.strptime(typed[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return now + timedelta(seconds=1)  # with what was booked in this moment
    first = datetime(2000, 1, 1, tzinfo=UTC)
    return min(max(asked, first), now + timedelta(minutes=1))


def _notices_page(programme: Programme, problem: AppError | None = None, *, at: str = "") -> AnyResponse:
    is_open = request.args.get("dismissed") != "yes"
    with world().database.reading() as reading:
        seen = watching.notices(reading, programme.id, is_open=is_open)
        waiting = watching.corrections(reading, programme.id)
        actors = {one.notice.actor for one in seen} | {one.adjustment.asked_by for one in waiting}
        actors |= {str(one.notice.facts["asked_by"]) for one in seen if one.notice.facts.get("asked_by")}
        names = watching.names_of(reading, actors)
    me = current_staff()
    return shown(
        "notices.html", status=problem.status if problem else 200, programme=programme, is_open=is_open,
        notices=[rows.notice(one, names) for one in seen],
        corrections=[rows.correction(one, names, me.actor) for one in waiting],
        may_decide=rules.may(me.role, DECIDE), refusal=words.sentence(problem) if problem else "", at=at,
    )  # fmt: skip


def _typed(programme: Programme) -> dict[str, str]:
    return forms.typed_limits(limits.read(programme.limits))


def _roles() -> list[tuple[str, str]]:
    return [(role, words.role(role)) for role in forms.CORRECTING]


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")
