"""Transactions: read, listed by card, undone."""

from sqlalchemy import select

from app.api import cards, incoming, outgoing, paging, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Card
from app.counter import returns
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
