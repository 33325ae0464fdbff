"""Transactions: read, listed by card, undone."""

import base64

from sqlalchemy import select

from app.api import cards, incoming, outgoing, paging, shapes, slip_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Card
from app.counter import paper, returns, slips
from app.ledger.models import Entry


def read_transaction(call: Call) -> Body:
    """One transaction."""
    entry, number = _seen(call)
    return shapes.transactions(call.session, [entry], number)[0]


def list_transactions(call: Call) -> Body:
    """A card's transactions, newest first."""
    card = cards.seen(call, call.query["card"])
    name = f"transactions:{card.id}"
    query = select(Entry).where(Entry.card_id == card.id).order_by(Entry.id.desc())
    if call.query["cursor"]:
        query = query.where(Entry.id < paging.place_of(call.vault, name, call.query["cursor"]))
    limit = call.query["limit"]
    found = list(call.session.scalars(query.limit(limit + 1)))
    items, following = paging.page(call.vault, name, found, limit, place=lambda row: row.id)
    return paging.answer(shapes.transactions(call.session, items, card.number), following)


def slip(call: Call) -> Body:
    """The slip of a transaction, as text or as bytes for a receipt printer."""
    entry, _ = _seen(call)
    lines = slips.of_entry(call.session, entry, now=call.now, language=call.query["language"] or "")
    if call.query["format"] == "escpos":
        return {"format": "escpos", "content": base64.b64encode(paper.as_escpos(lines)).decode("ascii")}
    return {"format": "text", "content": paper.as_text(lines)}


def reverse(call: Call) -> Body:
    """Undo a transaction by a counter-entry."""
    entry, _ = _seen(call)
    done = returns.reverse(call.session, entry.id, reason=call.body["reason"], by=cards.actor(call), now=call.now)
    answer = cards.moved(done, None)
    return {**answer["transaction"], **answer}


def _seen(call: Call) -> tuple[Entry, str]:
    name = call.path["transaction"]
    query = select(Entry, Card.number).join(Card, Card.id == Entry.card_id).where(Entry.id == name)
    found = call.session.execute(query).one_or_none()
    if found is None or not call.caller.sees(found[0].programme_id):
        raise unknown("transaction", name)
    return found[0], found[1]


OPERATIONS = (
    Operation(
        method="GET",
        rule="/transactions",
        name="list_transactions",
        summary="List a card's transactions, newest first",
        tag="transactions",
        work=list_transactions,
        query=incoming.PageOfCard,
        answer=outgoing.TransactionPage,
    ),
    Operation(
        method="GET",
        rule="/transactions/<transaction>",
        name="read_transaction",
        summary="Read a transaction",
        tag="transactions",
        work=read_transaction,
        answer=outgoing.Transaction,
    ),
    Operation(
        method="GET",
        rule="/transactions/<transaction>/slip",
        name="read_slip",
        summary="Read the slip of a transaction",
        description=(
            "Lines of 42 columns with what was earned or used, the balance as of now, what ends next and the reference "
            "for an undo; it names no member. `text` is plain; `escpos` is Base64 of what a receipt printer takes."
        ),
        tag="transactions",
        work=slip,
        query=slip_shapes.SlipWanted,
        answer=slip_shapes.Slip,
    ),
    Operation(
        method="POST",
        rule="/transactions/<transaction>/reverse",
        name="reverse",
        summary="Undo a transaction by a counter-entry",
        description="Points that were spent meanwhile become a deficit that later earnings fill.",
        tag="transactions",
        scope="write",
        work=reverse,
        body=incoming.NewReversal,
        answer=outgoing.Reversed,
        status=201,
        moves_points=True,
    ),
)
