"""Cards: read, earn."""

from dataclasses import dataclass

from sqlalchemy import bindparam, select

from app.api import outgoing, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards import codes
from app.cards import service as cards
from app.cards.models import Card, Store
from app.counter.moves import Actor, Done
from app.errors import NotFound
from app.ledger import held
from app.ledger import service as ledger
from app.ledger.held import Held
from app.offers import service as offers

HISTORY = 20
_STORE = select(Store.id, Store.programme_id, Store.public_id, Store.timezone).where(
    Store.public_id == bindparam("name")
)


@dataclass(frozen=True, kw_only=True)
class NamedStore:
    """A store, as far as a movement and its answer must know it."""

    id: int
    programme_id: int
    public_id: str
    timezone: str


def read_card(call: Call) -> Body:
    """A card with its member, live offers and last transactions."""
    card = seen(call, call.path["number"])
    owner = card.programme.public_id
    tier = card.tier.name if card.tier else None
    balance = ledger.balance_of(call.session, card.member_id)
    history = ledger.history(call.session, card.id, limit=HISTORY)
    return {
        **shapes.card(card, balance=balance, tier=tier, settings=call.settings),
        "programme": owner,
        "member": shapes.person(call.session, card.member, owner),
        "offers": _offers(call, card),
        "transactions": shapes.transactions(call.session, history, card.number),
    }


def seen(call: Call, number: str, *, field: str = "card") -> Card:
    """The card of that number, however it was written, if the key may see it.

    Raises: NotFound `unknown_card`.
    """
    card = cards.by_number(call.session, number, programme_id=call.caller.programme_id)
    if card is None:
        raise unknown("card", field=field)
    return card


def actor(call: Call) -> Actor:
    """The key, as entries name it."""
    return Actor(name=call.caller.actor, channel="api")


def moved(done: Done, store: NamedStore | None) -> Body:
    """What a movement answers."""
    entry = shapes.transaction(done.entry, number=done.card.number, store_id=store.public_id if store else None)
    return {"transaction": entry, "balance": done.balance, "tier": done.tier}


def _offers(call: Call, card: Card) -> list[Body]:
    if card.status != "active":
        return []
    language = card.member.language
    return [
        {
            "id": offer.public_id,
            **dict(zip(("title", "body"), offers.words(offer, language), strict=True)),
            "starts_at": shapes.moment(offer.starts_at),
            "ends_at": shapes.moment(offer.ends_at),
            "refusal": refusal.code if refusal else None,
        }
        for offer in offers.live_for(call.session, card, now=call.now)
        for refusal in (offers.refusal(call.session, offer, card, now=call.now),)
    ]


def held_card(call: Call, *, locked: bool = True) -> Held:
    """The card of the address, locked, if the key may see it.

    Raises: NotFound `unknown_card`.
    """
    number = codes.normalise(call.path["number"])
    if number is None:
        raise unknown("card")
    try:
        card = held.by_number(call.session, number, locked=locked)
    except NotFound:
        raise unknown("card") from None
    if not call.caller.sees(card.programme_id):
        raise unknown("card")
    return card


def store_named(call: Call, name: str | None) -> NamedStore | None:
    if name is None:
        return None
    found = call.session.execute(_STORE, {"name": name}).one_or_none()
    if found is None or not call.caller.sees(found.programme_id):
        raise unknown("store", name)
    return NamedStore(**found._mapping)


OPERATIONS = (
    Operation(
        method="GET",
        rule="/cards/<number>",
        name="read_card",
        summary="Read a card: member, live offers, last transactions",
        description="The number may be written with spaces, dashes and small letters.",
        tag="cards",
        work=read_card,
        answer=outgoing.WholeCard,
    ),
)
