"""Deliveries: the sync ledger, the senders, and one card's own story."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, home, words
from app.admin.deliveries import card as stories
from app.admin.deliveries import ledger
from app.admin.pages import shown
from app.admin.texts import gettext
from app.cards import service as cards
from app.cards.models import Card
from app.clock import milliseconds
from app.delivery import queries
from app.errors import AppError, NotFound
from app.outbox.models import Target
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.wallets.apple.add import pass_json
from app.wallets.view import card_view
from app.web import world

blueprint = Blueprint("admin_deliveries", __name__, url_prefix="/admin")


@blueprint.get("/deliveries")
@requires(*rules.ADMIN_READ)
def deliveries() -> AnyResponse:
    """Current, behind, parked; who and why; the senders; the latest sends; what phones complain of."""
    parts, me, now = world(), current_staff(), world().clock()
    now_ms, mine = milliseconds(now), me.programme_id
    channel, cause = request.args.get("channel", ""), request.args.get("cause", "")
    chosen: dict[str, str | None] = {
        "channel": channel if channel in ledger.CHANNELS else None,
        "cause": cause if cause in ledger.CAUSES else None,
    }
    with parts.database.reading() as reading:
        own = ledger.my_senders(reading, mine)
        senders = queries.senders(reading, now_ms=now_ms)
        values: dict[str, Any] = {
            "standings": ledger.standings(reading, mine),
            "behind": queries.behind(reading, now_ms=now_ms) if mine is None else [],
            "late": ledger.late(
                reading, now_ms=now_ms, programme_id=mine, channel=chosen["channel"], cause=chosen["cause"]
            ),
            "senders": [one for one in senders if own is None or one.id in own],
            "sends": ledger.sends(reading, programme_id=mine),
            "complaints": home.complaints(reading, now=now) if mine is None else [],
        }
    return shown("deliveries.html", now=now, chosen=chosen, words=words, **values)


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
    """Find one card."""
    text = request.args.get("q", "").strip()
    if not text:
        return shown("cards.html", text="", is_missing=False)
    with world().database.reading() as reading:
        found = stories.find(reading, text, gate.visible(reading, current_staff()))
    if found is None:
        return shown("cards.html", status=404, text=text[:200], is_missing=True)
    return redirect(url_for("admin_deliveries.card", number=found.number), code=303)


@blueprint.get("/cards/<number>")
@requires(*rules.ADMIN_READ)
def card(number: str) -> AnyResponse:
    """Why is this card not up to date?"""
    parts, now = world(), world().clock()
    found = _card(number)
    with parts.database.reading() as reading:
        fresh = cards.by_number(reading, found.number)
        if fresh is None:
            raise _no_card()
        view = card_view(reading, fresh, now=now)
        wallets, events = stories.wallets(reading, fresh, now=now), stories.events(reading, fresh)
    try:
        face, fault = pass_json(parts, view), ""
    except AppError as problem:
        face, fault = None, words.sentence(problem)
    return shown(
        "card.html", card=fresh, view=view, wallets=wallets, events=events, face=face, fault=fault, words=words,
        grouped=stories.number(fresh),
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
