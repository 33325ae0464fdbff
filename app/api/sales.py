"""Sales: quoted, booked, returned; and events that earn without a purchase."""

from sqlalchemy import select

from app import money
from app.api import outgoing, sales_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.cards import NamedStore, actor, held_card, moved, store_named
from app.counter import pricing, returns, sales
from app.counter.pricing import Priced, Sale
from app.earning import words
from app.earning.sale import Line
from app.errors import Forbidden, Unprocessable
from app.ledger.models import Entry
from app.ledger.reversals import Returned


def earn(call: Call) -> Body:
    """Give the points of a sale."""
    card = held_card(call)
    store = store_named(call, call.body["store"])
    sold = sales.earn(call.session, card, _sale(call, card.currency, store), by=actor(call), now=call.now)
    return {
        **moved(sold, store), "priced": _priced(sold.priced, call.body, card.currency), "warnings": list(sold.warnings)
    }  # fmt: skip


def quote(call: Call) -> Body:
    """What a sale would earn with this card, by the same rules as booking it."""
    card = held_card(call, locked=False)
    store = store_named(call, call.body["store"])
    found = sales.quote(call.session, card, _sale(call, card.currency, store), now=call.now)
    tier = card.tier.name if card.tier else None
    return {**_priced(found, call.body, card.currency), "balance": card.balance, "tier": tier}


def quote_for_anybody(call: Call) -> Body:
    """What a sale would earn somebody who has just joined."""
    programme = call.programme(call.body["programme"])
    store = store_named(call, call.body["store"])
    sale = _sale(call, programme.currency, store)
    found = pricing.for_anybody(call.session, programme, sale, now=call.now)
    return {**_priced(found, call.body, programme.currency), "balance": None, "tier": None}


def event(call: Call) -> Body:
    """Give the points of something that is no purchase."""
    card, store = held_card(call), store_named(call, call.body["store"])
    told = {"by": actor(call), "now": call.now, "store": store, "receipt": call.body["receipt"]}
    return moved(sales.event(call.session, card, call.body["event"], **told), store)


def take_back(call: Call) -> Body:
    """A return: of a whole sale, of pieces of its lines, or of an amount."""
    body = call.body
    card, store = held_card(call), store_named(call, body["store"])
    original = _sold(call, store)
    if original.card_id != card.id:
        raise Forbidden("other_members_sale", "This sale was booked on another card.")
    if original.kind != "earn":
        text = "This is not a sale; reverse the transaction instead."
        raise Unprocessable("not_a_sale", text, errors={"transaction": text})
    amount = body["amount"]
    returned = Returned(
        pieces={line["number"]: line["quantity"] for line in body["lines"]} if body["lines"] else None,
        amount_minor=money.minor_units(amount, card.currency) if amount is not None else None,
    )
    done = returns.reverse(
        call.session, original.id, reason=body["reason"], by=actor(call), now=call.now, store=store, returned=returned
    )
    return moved(done, store)


def _sale(call: Call, currency: str, store: NamedStore | None) -> Sale:
    body = call.body
    lines = tuple(_line(line, at, currency) for at, line in enumerate(body["lines"], 1))
    amount = body["amount"]
    return Sale(
        amount_minor=sum(line.paid_minor for line in lines) if amount is None else money.minor_units(amount, currency),
        currency=body["currency"] or currency,
        receipt=body.get("receipt"),
        store=store,
        occurred_at=body["at"],
        lines=lines,
        by_points_minor=money.minor_units(body["paid_with_points"], currency, field="paid_with_points"),
        offers=tuple(body.get("offers", ())),
    )


def _line(line: Body, at: int, currency: str) -> Line:
    where = f"lines.{at - 1}"
    amount_minor = money.minor_units(line["amount"], currency, field=f"{where}.amount")
    discount_minor = money.minor_units(line["discount"], currency, field=f"{where}.discount")
    if discount_minor > amount_minor:
        text = "A discount is not above the price of its line."
        raise Unprocessable("invalid_line", text, errors={f"{where}.discount": text})
    return Line(
        number=line.get("number", at),
        amount_minor=amount_minor,
        product=line["product"],
        category=line["category"],
        quantity=line["quantity"],
        discount_minor=discount_minor,
        kind=line["kind"],
    )


def _priced(found: Priced, body: Body, currency: str) -> Body:
    quote = found.quote

    def shown(minor: int) -> str:
        return money.decimal_text(minor, currency)

    return {
        "points": quote.points,
        "reasons": [words.text(reason) for reason in found.reasons],
        "eligible": shown(quote.eligible_minor),
        "discount": shown(found.off_minor),
        "to_pay": shown(found.paid_minor),
        "bonus": shown(sum(bonus.amount_minor for bonus in quote.bonuses)),
        "currency": body["currency"] or currency,
        "lines": [
            {"number": line.number, "points": line.points, "discount": shown(line.discount_minor + by_offers)}
            for line, by_offers in zip(quote.lines, _by_offers(found), strict=True)
        ],
        "offers": [
            {
                "id": one.offer.public_id,
                "title": one.offer.title,
                "discount": shown(one.off_minor),
                "points": one.points,
                "refusal": one.refusal.code if one.refusal else None,
                "told": one.refusal.sentence if one.refusal else None,
            }
            for one in found.bargains
        ],
        "rules_version": found.version.number,
    }


def _by_offers(found: Priced) -> list[int]:
    """What offers take off each line of the receipt."""
    sums = [0] * len(found.quote.lines)
    for one in found.bargains if sums else ():
        sums = [so_far + off for so_far, off in zip(sums, one.off or [0] * len(sums), strict=True)]
    return sums


def _sold(call: Call, store: NamedStore | None) -> Entry:
    """The sale that comes back, by its id, or by the number of its receipt at its store."""
    query = select(Entry)
    if "transaction" in call.body:
        name = call.body["transaction"]
        query = query.where(Entry.id == name)
    else:
        name = call.body["receipt"]
        query = query.where(
            Entry.kind == "earn",
            Entry.receipt == name,
            Entry.part_of_id.is_(None),
            Entry.store_id.is_(None) if store is None else Entry.store_id == store.id,
        )
    programme_id = call.caller.programme_id
    if programme_id is not None:
        query = query.where(Entry.programme_id == programme_id)
    found = call.session.scalars(query.order_by(Entry.id.desc()).limit(1)).one_or_none()
    if found is None:
        raise unknown("transaction", name)
    return found


OPERATIONS = (
    Operation(
        method="POST",
        rule="/cards/<number>/earn",
        name="earn",
        summary="Give the points of a sale",
        description="`priced` says how the rules saw it, line by line; `to_pay` is the amount less their discount. "
        "Offers are judged by the server's time and the store's clock; one that cannot be used refuses the sale with "
        "its reason, and nothing is booked.",
        tag="cards",
        scope="write",
        work=earn,
        body=sales_shapes.NewEarning,
        answer=sales_shapes.Sold,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/quote",
        name="quote",
        summary="What a sale would earn with this card now",
        description="By the same code as earn: what is quoted is what is booked, if the rules, the card and the caps "
        "are the same then. Nothing is written.",
        tag="cards",
        work=quote,
        body=sales_shapes.NewQuote,
        answer=sales_shapes.Quote,
        asks=True,
    ),
    Operation(
        method="POST",
        rule="/quote",
        name="quote_for_anybody",
        summary="What a sale would earn a new member",
        tag="programmes",
        work=quote_for_anybody,
        body=sales_shapes.QuoteForAnybody,
        answer=sales_shapes.Quote,
        asks=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/events",
        name="event",
        summary="Give the points of something that is no purchase",
        tag="cards",
        scope="write",
        work=event,
        body=sales_shapes.NewEvent,
        answer=outgoing.Moved,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/returns",
        name="take_back",
        summary="Return a sale, wholly or in part",
        description="By lines and pieces, if the sale was booked with lines; else by amount; else all that is left. "
        "Points that were spent meanwhile become a deficit, unless the rules of the sale say otherwise.",
        tag="cards",
        scope="write",
        work=take_back,
        body=sales_shapes.NewReturn,
        answer=outgoing.Moved,
        status=201,
        moves_points=True,
        refusals=(403,),
    ),
)
