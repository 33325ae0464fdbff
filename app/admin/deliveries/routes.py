"""Deliveries: the sync ledger, the senders, the switches that stop them, what phones say, and one card's own story."""

import csv
import io
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app import trace
from app.admin import gate, words
from app.admin.deliveries import card as stories
from app.admin.deliveries import devices, lag, ledger, traces
from app.admin.pages import shown
from app.admin.texts import gettext
from app.cards import service as cards
from app.cards.models import Card
from app.clock import milliseconds
from app.delivery import queries
from app.errors import AppError, NotFound
from app.i18n import page_language
from app.outbox import switches
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.staff import audit, rules
from app.staff.guards import StaffIdentity, current_staff, requires
from app.wallets import notes
from app.wallets.apple.add import pass_json
from app.wallets.view import card_view
from app.web import world

blueprint = Blueprint("admin_deliveries", __name__, url_prefix="/admin")

LANES = {lane.name.lower(): lane for lane in Lane}
LONGEST_REASON = 200


@blueprint.get("/deliveries")
@requires(*rules.ADMIN_READ)
def deliveries() -> AnyResponse:
    """Current, behind, quiet, parked; how long changes took; who waits and why; the senders; the latest sends."""
    parts, me, now = world(), current_staff(), world().clock()
    now_ms, mine = milliseconds(now), me.programme_id
    channel, cause = request.args.get("channel", ""), request.args.get("cause", "")
    chosen: dict[str, str | None] = {
        "channel": channel if channel in ledger.CHANNELS else None,
        "cause": cause if cause in ledger.CAUSES else None,
    }
    with parts.database.reading() as reading:
        programmes = gate.visible(reading, me)
        own = ledger.my_senders(reading, mine)
        thrown = [one for one in switches.stopped(reading) if mine is None or one.programme_id in {None, mine}]
        values: dict[str, Any] = {
            "programmes": programmes,
            "standings": ledger.standings(reading, programmes, now=now),
            "causes": ledger.causes(reading, now=now) if mine is None else [],
            "late": ledger.late(
                reading, now_ms=now_ms, programme_id=mine, channel=chosen["channel"], cause=chosen["cause"]
            ),
            "senders": [one for one in queries.senders(reading, now_ms=now_ms) if own is None or one.id in own],
            "sends": ledger.sends(reading, programme_id=mine),
            "lag": lag.courses(reading, span=_span(), lane=_lane(), now=now) if mine is None else None,
        }
    names = {one.id: one.name for one in programmes}
    stopped = [(one, names.get(one.programme_id or 0, "")) for one in thrown]
    return shown(
        "deliveries.html", now=now, chosen=chosen, words=words, stopped=stopped, lanes=LANES, spans=lag.SPANS, **values
    )


@blueprint.get("/deliveries/lag.csv")
@requires(*rules.ADMIN_READ)
def lag_csv() -> AnyResponse:
    """The figures of the plots."""
    parts, me = world(), current_staff()
    gate.check_programme(parts, me, None, subject=_subject())
    with parts.database.reading() as reading:
        found = lag.courses(reading, span=_span(), lane=_lane(), now=parts.clock())
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["measure", "lane", "until", "count", "p50_seconds", "p95_seconds", "p99_seconds"])
    for name, lane, course in (("accepted", found.lane.name.lower(), found.accepted), ("fetched", "", found.fetched)):
        for at, one in course.steps:
            figures = [f"{value:.3f}" for value in (one.p50, one.p95, one.p99)]
            writer.writerow([name, lane, at.isoformat(timespec="seconds"), one.count, *figures])
    answer = Response(text.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="tessera-lag.csv"'
    return answer


@blueprint.get("/device-logs")
@requires(*rules.ADMIN_READ)
def device_logs() -> AnyResponse:
    """What phones say, by cause, pass type and day."""
    parts, me = world(), current_staff()
    gate.check_programme(parts, me, None, subject=_subject())
    with parts.database.reading() as reading:
        found = devices.complaints(reading, now=parts.clock())
    return shown("device_logs.html", complaints=found)


@blueprint.post("/deliveries/switch")
@requires(*rules.ADMIN)
def switch() -> AnyResponse:
    """Stop all sending or one programme's, or let it go on."""
    parts, me, now = world(), current_staff(), world().clock()
    programme_id = _scope(me)
    subject = "sending:all" if programme_id is None else f"sending:{request.form['scope'][:60]}"
    reason = " ".join(request.form.get("reason", "").split())[:LONGEST_REASON]
    is_stop = request.form.get("to") == "stop"
    if is_stop and not (reason and reason.isprintable()):
        flash(gettext("Write why sending is stopped: whoever comes next will want to know."), "bad")
        return redirect(url_for("admin_deliveries.deliveries", _anchor="switches"), code=303)
    with parts.database.unit_of_work() as writing:
        if is_stop:
            changed = switches.stop(
                writing, programme_id=programme_id, reason=reason, by=me.actor, now_ms=milliseconds(now)
            )
        else:
            changed = switches.resume(writing, programme_id=programme_id)
        if changed:
            action = "sending_stopped" if is_stop else "sending_resumed"
            audit.record(writing, actor=me.actor, action=action, subject=subject, reason=reason, now=now)
    if not changed:
        flash(gettext("It was so already; nothing was changed."), "note")
    elif is_stop:
        flash(gettext("Sending is stopped. What waits is kept and sent when you resume."), "good")
    else:
        flash(gettext("Sending goes on. What waited is sent within a minute."), "good")
    return redirect(url_for("admin_deliveries.deliveries", _anchor="switches"), code=303)


@blueprint.post("/deliveries/senders/<int:sender_id>/reopen")
@requires(*rules.ADMIN)
def reopen(sender_id: int) -> AnyResponse:
    """Try a stopped sender now."""
    parts, me = world(), current_staff()
    with parts.database.reading() as reading:
        own = ledger.my_senders(reading, me.programme_id)
    if own is not None and sender_id not in own:
        gate.check_programme(parts, me, None, subject=_subject())
    with parts.database.unit_of_work() as writing:
        was_stopped = queries.reopen(writing, sender_id, now_ms=milliseconds(parts.clock()))
        if was_stopped:
            subject = f"sender:{sender_id}"
            audit.record(writing, actor=me.actor, action="sender_reopened", subject=subject, now=parts.clock())
    if was_stopped:
        flash(gettext("One card is tried now. If it gets through, the rest follows by itself."), "good")
    else:
        flash(gettext("This sender is not stopped; nothing was changed."), "note")
    return redirect(url_for("admin_deliveries.deliveries", _anchor="senders"), code=303)


@blueprint.get("/cards")
@requires(*rules.ADMIN_READ)
def search() -> AnyResponse:
    """Find one card, by what names it or by a request that changed it."""
    text = request.args.get("q", "").strip()
    if not text:
        return shown("cards.html", text="", is_missing=False)
    with world().database.reading() as reading:
        found = stories.find(reading, text, gate.visible(reading, current_staff()))
    if found is None:
        return shown("cards.html", status=404, text=text[:200], is_missing=True)
    traced = text.lower() if trace.moment_ms(text.lower()) is not None else None
    return redirect(url_for("admin_deliveries.card", number=found.number, trace=traced), code=303)


@blueprint.get("/cards/<number>")
@requires(*rules.ADMIN_READ)
def card(number: str) -> AnyResponse:
    """Why is this card not up to date?"""
    parts, now = world(), world().clock()
    found, traced = _card(number), request.args.get("trace", "")[:60]
    with parts.database.reading() as reading:
        fresh = cards.by_number(reading, found.number)
        if fresh is None:
            raise _no_card()
        view = card_view(reading, fresh, now=now)
        wallets = stories.wallets(reading, fresh, now=now)
        events = stories.events(reading, fresh, wallets)
        way = traces.way(reading, fresh, traced, wallets) if traced else []
    try:
        face, fault = pass_json(parts, view), ""
    except AppError as problem:
        face, fault = None, words.sentence(problem)
    return shown(
        "card.html", card=fresh, view=view, wallets=wallets, events=events, face=face, fault=fault, words=words,
        grouped=stories.number(fresh), traced=traced, way=way, level=notes.level_lines(view, page_language()),
    )  # fmt: skip


@blueprint.post("/cards/<number>/retry")
@requires(*rules.ADMIN)
def retry(number: str) -> AnyResponse:
    """Try one of the card's wallets now."""
    parts, me = world(), current_staff()
    found, target_id = _card(number), request.form.get("target", "")
    with parts.database.unit_of_work() as writing:
        is_number = target_id.isascii() and target_id.isdigit() and len(target_id) < 18
        target = writing.get(Target, int(target_id)) if is_number else None
        if target is None or target.card_id != found.id:
            raise NotFound("unknown_wallet", "This card is in no such wallet. Open the card again.")
        tried = queries.retry(writing, target.id, now_ms=milliseconds(parts.clock()))
        if tried:
            after = {"channel": target.channel}
            audit.record(
                writing, actor=me.actor, action="card_retried", subject=f"card:{found.serial}", after=after,
                now=parts.clock(),
            )  # fmt: skip
    if tried:
        flash(gettext("It is tried now. Load this page again in a moment to see the answer."), "good")
    else:
        flash(gettext("Nothing to do: the wallet is up to date, gone, or being told at this moment."), "note")
    return redirect(url_for("admin_deliveries.card", number=found.number), code=303)


def _scope(me: StaffIdentity) -> int | None:
    """The programme whose sending is meant; None: everybody's."""
    parts, slug = world(), request.form.get("scope", "")
    if slug == switches.ALL:
        gate.check_programme(parts, me, None, subject=_subject())
        return None
    return gate.open_programme(parts, me, slug, subject=_subject()).id


def _span() -> lag.Span | None:
    return lag.SPANS.get(request.args.get("span", ""))


def _lane() -> Lane:
    return LANES.get(request.args.get("lane", ""), Lane.URGENT)


def _card(number: str) -> Card:
    parts = world()
    with parts.database.reading() as reading:
        found = cards.by_number(reading, number)
    if found is None:
        raise _no_card()
    gate.check_programme(parts, current_staff(), found.programme_id, subject=_subject())
    return found


def _no_card() -> NotFound:
    return NotFound("unknown_card", "There is no card with this number. Check it for a typing mistake.")


def _subject() -> str:
    return f"{request.method} {request.path}"
