"""Why this balance? A card's whole history for support, each movement with what explains it."""

from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from app import money
from app.admin import gate
from app.admin.pages import moment, shown
from app.cards import codes
from app.cards import service as cards
from app.cards.models import Card, Store
from app.errors import NotFound
from app.i18n import page_language
from app.ledger import explain, words
from app.ledger.explain import Movement
from app.ledger.held import POINTS
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_balances", __name__, url_prefix="/admin/cards/<number>/ledger")

SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Row:
    """A movement, ready to print; `facts` are (label, value) pairs that open under it."""

    id: str
    title: str
    unit: str
    when: str
    change: str
    is_gain: bool
    balance: str
    amount: str
    store: str
    receipt: str
    who: str
    note: str
    reverses: str
    facts: list[tuple[str, str]]


@blueprint.get("")
@requires(*rules.ADMIN_READ)
def history(number: str) -> AnyResponse:
    """The movements of one unit, or of all; the newest first, page by page."""
    unit, before = request.args.get("unit", POINTS)[:80], request.args.get("before", type=int)
    language = page_language()
    with world().database.reading() as reading:
        card = _card(number)
        units = explain.units(reading, card.id)
        chosen = None if unit == "all" else unit if unit in units else POINTS
        page = explain.page(reading, card.id, unit=chosen, before=before, limit=SHOWN)
        names = {
            one.id: one.name for one in reading.scalars(select(Store).where(Store.programme_id == card.programme_id))
        }
    zone = card.programme.timezone
    return shown(
        "ledger.html", card=card, grouped=codes.grouped(card.number), chosen=chosen or "all", before=page.before,
        is_first=before is None, units=[(one, words.unit(one, language)) for one in units],
        rows=[_row(one, names, language, zone) for one in page.movements],
    )  # fmt: skip


def _row(movement: Movement, stores: dict[int, str], language: str, zone: str) -> Row:
    entry = movement.entry
    has_amount = entry.amount_minor is not None and entry.currency is not None
    return Row(
        id=entry.id,
        title=words.kind(entry, language),
        unit=words.unit(movement.unit, language),
        when=moment(entry.occurred_at),
        change=words.signed(movement.change, movement.unit, language) or "0",
        is_gain=movement.change > 0,
        balance=words.amount(movement.balance.available, movement.unit, language),
        amount=money.shown(entry.amount_minor or 0, entry.currency or "", language) if has_amount else "",
        store=stores.get(entry.store_id or 0, ""),
        receipt=entry.receipt or "",
        who=f"{entry.actor} ({entry.channel})",
        note=entry.note,
        reverses=entry.reverses_id or "",
        facts=words.facts(movement, language, zone),
    )


def _card(number: str) -> Card:
    """Raises: NotFound `unknown_card`; Forbidden `not_your_programme`."""
    with world().database.reading() as reading:
        found = cards.by_number(reading, number)
        if found is not None:
            found.programme.tiers  # noqa: B018  # read while there is a session
    if found is None:
        raise NotFound("unknown_card", "There is no such card. Look for it by another of its numbers.")
    gate.check_programme(world(), current_staff(), found.programme_id, subject=f"{request.method} {request.path}")
    return found
