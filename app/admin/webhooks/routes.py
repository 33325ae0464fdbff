"""Webhooks: who is told of events, how that goes, and sending again."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import Select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.pages import shown
from app.admin.texts import gettext, ngettext
from app.admin.webhooks import forms
from app.admin.webhooks import words as own_words
from app.admin.webhooks.forms import WebhookForm
from app.cards.models import Programme
from app.errors import Unprocessable
from app.staff import audit, rules
from app.staff.guards import StaffIdentity, current_staff, requires
from app.web import world
from app.webhooks import deliveries, endpoints, kinds
from app.webhooks.models import Endpoint

blueprint = Blueprint("admin_webhooks", __name__, url_prefix="/admin/webhooks")

SHOWN = 50


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def webhooks() -> AnyResponse:
    """All of them, and a form to add one."""
    return _list({}, {f"event-{kind}": "yes" for kind in kinds.OF_PROGRAMME})


@blueprint.post("", strict_slashes=False)
@requires(*rules.ADMIN)
def create() -> AnyResponse:
    """Make a webhook and show its secret, once, on the page that answers."""
    parts, me, form = world(), current_staff(), WebhookForm.parse(request.form)
    with parts.database.reading() as reading:
        places = _places(me, gate.visible(reading, me))
    if request.form.get("programme", "") not in places:
        return _list({"programme": gettext("Choose one of the programmes in the list.")}, request.form, status=422)
    programme = places[request.form.get("programme", "")]
    try:
        endpoints.check_url(form.url, parts.settings)
        with parts.database.unit_of_work() as writing:
            made, secret = endpoints.create(
                writing, url=form.url, programme_id=programme.id if programme else None, events=form.events,
                description=form.description, now=parts.clock(),
            )  # fmt: skip
            _record(writing, me, "webhook_created", made)
    except Unprocessable as problem:
        return _list(words.field_errors(problem, {}), request.form, status=problem.status)
    return _one(made.public_id, status=201, secret=secret)


@blueprint.get("/<name>")
@requires(*rules.ADMIN_READ)
def webhook(name: str) -> AnyResponse:
    """One webhook, and what was sent to it."""
    return _one(name, before=request.args.get("before", type=int))


@blueprint.post("/<name>")
@requires(*rules.ADMIN)
def change(name: str) -> AnyResponse:
    """Another address, other events, another description."""
    parts, me, form = world(), current_staff(), WebhookForm.parse(request.form)
    _check(name)
    try:
        endpoints.check_url(form.url, parts.settings)
        with parts.database.unit_of_work() as writing:
            found = endpoints.by_id(writing, name, to_change=True)
            endpoints.change(writing, found, url=form.url, events=form.events, description=form.description)
            _record(writing, me, "webhook_changed", found)
    except Unprocessable as problem:
        return _one(name, status=problem.status, errors=words.field_errors(problem, {}), typed=request.form)
    flash(gettext("Saved. What happens from now on goes to this address."), "good")
    return _back(name)


@blueprint.post("/<name>/switch")
@requires(*rules.ADMIN)
def switch(name: str) -> AnyResponse:
    """On or off."""
    parts, me, is_on = world(), current_staff(), request.form.get("to") == "on"
    _check(name)
    with parts.database.unit_of_work() as writing:
        found = endpoints.by_id(writing, name, to_change=True)
        endpoints.change(writing, found, enabled=is_on)
        _record(writing, me, "webhook_enabled" if is_on else "webhook_disabled", found)
    on, off = gettext("It is on: what waits is sent now."), gettext("It is off: nothing is sent to it.")
    flash(on if is_on else off, "good")
    return _back(name)


@blueprint.post("/<name>/rotate")
@requires(*rules.ADMIN)
def rotate(name: str) -> AnyResponse:
    """A new secret, shown once; the old one signs beside it for a day."""
    parts, me = world(), current_staff()
    _check(name)
    with parts.database.unit_of_work() as writing:
        found = endpoints.by_id(writing, name, to_change=True)
        secret = endpoints.rotate(writing, found, now=parts.clock())
        _record(writing, me, "webhook_secret_rotated", found)
    return _one(name, secret=secret)


@blueprint.post("/<name>/delete")
@requires(*rules.ADMIN)
def delete(name: str) -> AnyResponse:
    parts, me = world(), current_staff()
    _check(name)
    with parts.database.unit_of_work() as writing:
        found = endpoints.by_id(writing, name, to_change=True)
        endpoints.remove(writing, found)
        _record(writing, me, "webhook_deleted", found)
    flash(gettext("The webhook is deleted. What waited for it is not sent."), "good")
    return redirect(url_for("admin_webhooks.webhooks"), code=303)


@blueprint.post("/<name>/test")
@requires(*rules.ADMIN)
def test(name: str) -> AnyResponse:
    """Send a ping."""
    parts = world()
    _check(name)
    with parts.database.unit_of_work() as writing:
        endpoints.ping(writing, endpoints.by_id(writing, name, to_change=True), now=parts.clock())
    flash(gettext("A test is on its way. Load this page again in a moment to see the answer."), "good")
    return _back(name)


@blueprint.post("/<name>/replay")
@requires(*rules.ADMIN)
def replay(name: str) -> AnyResponse:
    """Send one delivery, or the events of a span of time, again."""
    parts, me = world(), current_staff()
    _check(name)
    chosen = request.form.get("delivery", "")
    try:
        with parts.database.unit_of_work() as writing:
            found = endpoints.by_id(writing, name, to_change=True)
            count = 1
            if chosen:
                deliveries.replay(writing, found, chosen, now=parts.clock())
            else:
                since, until = forms.span(request.form)
                count = deliveries.replay_range(writing, found, since=since, until=until, now=parts.clock())
            _record(writing, me, "webhook_replayed", found)
    except Unprocessable as problem:
        return _one(name, status=problem.status, errors=words.field_errors(problem, {}), span=request.form)
    flash(ngettext("%(num)d event is sent again.", "%(num)d events are sent again.", count), "good")
    return _back(name)


def _list(errors: Mapping[str, str], typed: Mapping[str, str], *, status: int = 200) -> AnyResponse:
    me = current_staff()
    with world().database.reading() as reading:
        programmes = gate.visible(reading, me)
        found = list(reading.scalars(_mine(me)))
    return shown(
        "webhooks.html", status=status, webhooks=found, errors=errors, typed=typed, words=own_words,
        places=[(value, one.name if one else gettext("The whole installation"))
                for value, one in _places(me, programmes).items()],
        names={one.id: one.name for one in programmes}, kinds=kinds.for_scope(me.programme_id), at=_at,
    )  # fmt: skip


def _one(
    name: str,
    *,
    status: int = 200,
    before: int | None = None,
    secret: str = "",
    errors: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    span: Mapping[str, str] | None = None,
) -> AnyResponse:
    parts, now = world(), world().clock()
    _check(name)
    with parts.database.reading() as reading:
        found = endpoints.by_id(reading, name)
        sent = deliveries.listed(reading, found, before=before, limit=SHOWN + 1)
        owner = reading.get(Programme, found.programme_id) if found.programme_id is not None else None
    now_typed = {"url": found.url, "description": found.description} | {f"event-{one}": "yes" for one in found.events}
    day = {"since": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M}", "until": f"{now:%Y-%m-%dT%H:%M}"}
    return shown(
        "webhook.html", status=status, webhook=found, owner=owner, sent=sent[:SHOWN], words=own_words, secret=secret,
        older=sent[SHOWN - 1].sequence if len(sent) > SHOWN else None, errors=errors or {}, typed=typed or now_typed,
        span=span or day, kinds=kinds.for_scope(found.programme_id), at=_at,
        old_secret_until=_at(found.old_until) if found.old_until > now.timestamp() * 1000 else None,
    )  # fmt: skip


def _check(name: str) -> None:
    """See that this webhook is this person's business."""
    parts = world()
    with parts.database.reading() as reading:
        found = endpoints.by_id(reading, name)
    gate.check_programme(parts, current_staff(), found.programme_id, subject=f"{request.method} {request.path}")


def _record(writing: Session, me: StaffIdentity, action: str, found: Endpoint) -> None:
    subject = f"webhook:{found.public_id}"
    audit.record(writing, actor=me.actor, action=action, subject=subject, now=world().clock())


def _back(name: str) -> AnyResponse:
    return redirect(url_for("admin_webhooks.webhook", name=name), code=303)


def _at(epoch_ms: int) -> datetime | None:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC) if epoch_ms else None


def _mine(me: StaffIdentity) -> Select[Endpoint]:
    query = endpoints.alive()
    return query if me.programme_id is None else query.where(Endpoint.programme_id == me.programme_id)


def _places(me: StaffIdentity, programmes: list[Programme]) -> dict[str, Programme | None]:
    places: dict[str, Programme | None] = {"": None} if me.programme_id is None else {}
    return places | {one.public_id: one for one in programmes}
