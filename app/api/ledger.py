"""A card's movements with what explains them: the answer to "why this balance?"."""

from collections.abc import Iterable

from app import money
from app.api import cards, ledger_shapes, paging
from app.api.calls import Body, Call, Operation
from app.api.shapes import moment
from app.earning import words as earning_words
from app.ledger import explain, words
from app.ledger.explain import Dated, Movement


def list_movements(call: Call) -> Body:
    """A card's movements, newest first."""
    card = cards.seen(call, call.path["number"])
    unit, limit = call.query["unit"], call.query["limit"]
    name, before = f"ledger:{card.id}:{unit}", None
    if call.query["cursor"]:
        before = int(paging.place_of(call.vault, name, call.query["cursor"]))
    found = explain.page(call.session, card.id, unit=unit, before=before, limit=limit)
    following = paging.cursor_of(call.vault, name, str(found.before)) if found.before is not None else None
    return paging.answer([_movement(one, call.query["language"]) for one in found.movements], following)


def _movement(one: Movement, language: str) -> Body:
    entry, after = one.entry, one.balance
    return {
        "id": entry.id,
        "kind": entry.kind,
        "title": words.kind(entry, language),
        "unit": one.unit,
        "units": one.change,
        "available": after.available,
        "held": after.held,
        "pending": after.pending,
        "owed": after.owed,
        "amount": _money(entry.amount_minor, entry.currency),
        "currency": entry.currency,
        "receipt": entry.receipt,
        "reverses": entry.reverses_id,
        "part_of": entry.part_of_id,
        "taken_back": one.taken_back,
        "rules": one.version,
        "reasons": [earning_words.text(reason, entry.currency) for reason in entry.reasons],
        "explained": words.reasons(entry, language),
        "lines": [
            {
                "line": line.line_no,
                "product": line.product,
                "category": line.category,
                "quantity": line.quantity,
                "amount": _money(line.amount_minor, entry.currency),
                "units": line.points,
            }
            for line in one.lines
        ],
        "opened": _dated(one.opened),
        "used": _dated(one.used),
        "usable_from": moment(one.due_at) if one.due_at else None,
        "channel": entry.channel,
        "occurred_at": moment(entry.occurred_at),
        "recorded_at": moment(entry.recorded_at),
    }


def _money(minor: int | None, currency: str | None) -> str | None:
    return None if minor is None or currency is None else money.decimal_text(minor, currency)


def _dated(lots: Iterable[Dated]) -> list[Body]:
    return [
        {
            "units": lot.units,
            "earned_at": moment(lot.earned_at),
            "expires_at": moment(lot.expires_at) if lot.expires_at else None,
        }
        for lot in lots
    ]


OPERATIONS = (
    Operation(
        method="GET",
        rule="/cards/<number>/ledger",
        name="list_movements",
        summary="Why this balance? A card's movements, each with what explains it and what it left",
        description="`available`, `held`, `pending` and `owed` are what the card had after each movement.",
        tag="cards",
        work=list_movements,
        query=ledger_shapes.PageOfLedger,
        answer=ledger_shapes.LedgerPage,
    ),
)
