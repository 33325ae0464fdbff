"""Cards without a person: issued, batched, stopped, replaced, and given to somebody."""

from app import money
from app.api import cards, shapes, value, value_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.members import NO_COUNTRY
from app.cards import codes, people
from app.cards import service as card_service
from app.cards.models import Card, Programme
from app.counter import paying, swapping
from app.counter.swapping import Owner
from app.value import pins, service, stock
from app.value.models import Batch
from app.value.stock import NewBatch


def issue(call: Call) -> Body:
    """Make a gift card with its first load and its PIN."""
    programme = call.programme(call.body["programme"])
    store = cards.store_named(call, call.body["store"])
    new = value.new_load(call, programme.currency)
    card = stock.issue(call.session, programme, "gift", source="api", now=call.now)
    pin = pins.give(call.session, stock.kept(call.session, card.id, programme.id), card.serial)
    done = paying.load(call.session, card, new, by=cards.actor(call), now=call.now, store=store)
    entry = shapes.transaction(done.entry, number=card.number, store_id=store.public_id if store else None)
    return {**_shown(call, card), "pin": pin, "transaction": entry}


def read(call: Call) -> Body:
    """A card with money, or without a person."""
    return _shown(call, _nameless(call))


def block(call: Call) -> Body:
    """Stop a card."""
    card = card_service.lock(call.session, _nameless(call).id)
    if stock.block(call.session, card, reason=call.body["reason"], by=call.caller.actor, now=call.now):
        call.record("card_blocked", f"card:{card.serial}", reason=call.body["reason"])
    return _shown(call, card)


def unblock(call: Call) -> Body:
    """Let a stopped card go on."""
    card = card_service.lock(call.session, _nameless(call).id)
    if stock.unblock(call.session, card, now=call.now):
        call.record("card_unblocked", f"card:{card.serial}", reason=call.body["reason"])
    return _shown(call, card)


def replace(call: Call) -> Body:
    """Move everything from a lost card to a new one."""
    lost = _nameless(call)
    made = swapping.replace_card(call.session, lost.id, by=cards.actor(call), now=call.now, reason=call.body["reason"])
    call.record("card_replaced", f"card:{lost.serial}", by=f"card:{made.card.serial}", reason=call.body["reason"])
    return {**_shown(call, made.card), "pin": made.pin}


def new_pin(call: Call) -> Body:
    """Give a card a new PIN; wrong tries are forgotten."""
    card = card_service.lock(call.session, cards.seen(call, call.path["number"]).id)
    row = stock.kept(call.session, card.id, card.programme_id)
    pin = pins.give(call.session, row, card.serial, call.body["pin"])
    call.record("card_pin_changed", f"card:{card.serial}")
    return {"pin": pin}


def bind(call: Call) -> Body:
    """Give a card to a person, with its history."""
    body, card = call.body, _nameless(call)
    person = people.checked(
        body["name"],
        email=body["email"],
        phone=body["phone"],
        birthday=body["birthday"],
        region=NO_COUNTRY,
    )
    people.check_born(body["birthday"], call.now)
    owner = Owner(
        person=person, language=body["language"] or card.programme.language, consent=body["marketing_consent"]
    )
    bound = swapping.bind(call.session, card.id, owner, by=cards.actor(call), now=call.now)
    call.record("card_bound", f"card:{card.serial}", to=f"card:{bound.card.serial}", merged=bound.is_merged)
    return {**_shown(call, bound.card), "merged": bound.is_merged}


def make_batch(call: Call) -> Body:
    """Make many cards for printing."""
    body = call.body
    programme = call.programme(body["programme"])
    new = NewBatch(kind=body["kind"], name=body["name"], size=body["size"])
    batch = stock.make_batch(call.session, programme, new, by=call.caller.actor, now=call.now)
    call.record("card_batch_made", f"batch:{batch.public_id}", kind=batch.kind, size=batch.size)
    return _batch(call, batch, programme)


def read_batch(call: Call) -> Body:
    """A batch with the numbers of its cards."""
    batch = stock.batch_named(call.session, call.path["batch"])
    if batch is None or not call.caller.sees(batch.programme_id):
        raise unknown("batch", call.path["batch"])
    return _batch(call, batch, call.session.get_one(Programme, batch.programme_id))


def _nameless(call: Call) -> Card:
    """The card of the address, whatever its kind: each work refuses the kinds that it is not for."""
    return cards.seen(call, call.path["number"])


def _shown(call: Call, card: Card) -> Body:
    currency = card.programme.currency
    whole = shapes.card(card, balance=0, tier=None, settings=call.settings)
    return {
        **{name: whole[name] for name in ("number", "serial", "status", "links")},
        "kind": card.kind,
        "balance": money.decimal_text(service.balance_of(call.session, card.member_id, currency), currency),
        "currency": currency,
    }


def _batch(call: Call, batch: Batch, programme: Programme) -> Body:
    base = call.settings.base_url
    return {
        "id": batch.public_id,
        "programme": programme.public_id,
        "kind": batch.kind,
        "name": batch.name,
        "size": batch.size,
        "made_at": shapes.moment(batch.made_at),
        "cards": [
            {"number": one.number, "barcode": codes.barcode_message(one.number), "page": f"{base}/c/{one.link}"}
            for one in call.session.scalars(stock.cards_of(batch))
        ],
    }


OPERATIONS = (
    Operation(
        method="POST",
        rule="/gift-cards",
        name="issue_gift_card",
        summary="Issue a gift card with its first load",
        description="The answer holds its PIN, once.",
        tag="stored value",
        scope="write",
        work=issue,
        body=value_shapes.NewGiftCard,
        answer=value_shapes.IssuedGiftCard,
        status=201,
        moves_points=True,
        holds_secret=True,
    ),
    Operation(
        method="GET",
        rule="/gift-cards/<number>",
        name="read_gift_card",
        summary="Read the money on a card",
        tag="stored value",
        work=read,
        answer=value_shapes.ValueCard,
    ),
    Operation(
        method="POST",
        rule="/gift-cards/<number>/block",
        name="block_gift_card",
        summary="Stop a gift or bearer card; again: the same answer",
        tag="stored value",
        scope="write",
        work=block,
        body=value_shapes.Why,
        answer=value_shapes.ValueCard,
    ),
    Operation(
        method="POST",
        rule="/gift-cards/<number>/unblock",
        name="unblock_gift_card",
        summary="Let a stopped card go on",
        tag="stored value",
        scope="write",
        work=unblock,
        body=value_shapes.Why,
        answer=value_shapes.ValueCard,
    ),
    Operation(
        method="POST",
        rule="/gift-cards/<number>/replace",
        name="replace_gift_card",
        summary="Move everything from a lost gift or bearer card to a new one",
        description="The old number is dead at once. The answer holds the new card's PIN, once.",
        tag="stored value",
        scope="write",
        work=replace,
        body=value_shapes.Why,
        answer=value_shapes.ReplacedCard,
        status=201,
        moves_points=True,
        holds_secret=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/pin",
        name="change_pin",
        summary="Give a card a PIN, or a new one",
        tag="stored value",
        scope="write",
        work=new_pin,
        body=value_shapes.NewPin,
        answer=value_shapes.Pin,
        status=201,
        holds_secret=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/bind",
        name="bind_card",
        summary="Give a card without a person to somebody, with its history",
        tag="stored value",
        scope="write",
        work=bind,
        body=value_shapes.NewOwner,
        answer=value_shapes.BoundCard,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/card-batches",
        name="make_card_batch",
        summary="Make bearer or gift cards for printing",
        tag="stored value",
        scope="write",
        work=make_batch,
        body=value_shapes.NewBatch,
        answer=value_shapes.BatchMade,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/card-batches/<batch>",
        name="read_card_batch",
        summary="Read a batch with the numbers of its cards",
        tag="stored value",
        work=read_batch,
        answer=value_shapes.BatchMade,
    ),
)
