"""Money on cards: loaded, spent, refunded and settled; bonus money spent; what a programme owes."""

from app import money
from app.api import cards, shapes, value_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Programme
from app.counter import paying
from app.counter.moves import Done
from app.errors import Unprocessable
from app.ledger.held import Held
from app.ledger.models import Entry
from app.value import bonus, liability, limits, service
from app.value.bonus import BonusPayment
from app.value.liability import Liability
from app.value.limits import Limits
from app.value.service import NewLoad, Payment


def load(call: Call) -> Body:
    """Put money on a card."""
    card, store = cards.held_card(call), cards.store_named(call, call.body["store"])
    new = new_load(call, card.currency)
    return moved(paying.load(call.session, card, new, by=cards.actor(call), now=call.now, store=store), store)


def pay(call: Call) -> Body:
    """Pay a sale with loaded money, or a share of a basket with bonus money."""
    body, card = call.body, cards.held_card(call)
    store = cards.store_named(call, body["store"])
    told = {"by": cards.actor(call), "now": call.now, "store": store, "receipt": body["receipt"]}
    currency = body["currency"] or card.currency
    amount = _minor(body["amount"], card, currency)
    if body["using"] == "bonus":
        if body["basket"] is None:
            text = "Say how large the whole basket is; bonus money pays a share of it."
            raise Unprocessable("invalid_basket", text, errors={"basket": text})
        of_basket = BonusPayment(
            amount_minor=amount, basket_minor=money.minor_units(body["basket"], card.currency, field="basket"),
            currency=currency, in_part=body["accept_partial"],
        )  # fmt: skip
        done = paying.pay_with_bonus(call.session, card, of_basket, **told)
        return moved(done, store, unit=bonus.unit(card.currency))
    payment = Payment(amount_minor=amount, currency=currency, pin=body["pin"], in_part=body["accept_partial"])
    return moved(paying.pay(call.session, card, payment, **told), store)


def refund(call: Call) -> Body:
    """Give a payment, or a part of it, back to its card."""
    body = call.body
    entry = call.session.get(Entry, call.path["transaction"])
    if entry is None or not call.caller.sees(entry.programme_id):
        raise unknown("transaction", call.path["transaction"])
    if body["currency"] not in (None, entry.currency):
        text = f"This was paid in {entry.currency}." if entry.currency else "No money was moved here."
        raise Unprocessable("currency_mismatch", text, errors={"currency": text})
    amount = None
    if body["amount"] is not None and entry.currency is not None:
        amount = money.minor_units(body["amount"], entry.currency)
    store = cards.store_named(call, body["store"])
    done = paying.refund(
        call.session, entry.id, amount, by=cards.actor(call), now=call.now, store=store, reason=body["reason"] or ""
    )
    return moved(done, store, unit=entry.unit)


def settle(call: Call) -> Body:
    """Bring a card's money to zero."""
    body, card = call.body, cards.held_card(call)
    done = paying.settle(call.session, card, body["how"], by=cards.actor(call), now=call.now, reason=body["reason"])
    amount = money.decimal_text(-done.entry.points, card.currency)
    call.record("stored_value_settled", f"card:{card.serial}", how=body["how"], amount=amount, entry=done.entry.id)
    return moved(done, None)


def read_liability(call: Call) -> Body:
    """What a programme owes on its cards."""
    programme = call.programme(call.path["programme"])
    return _liability(programme, liability.report(call.session, programme, now=call.now))


def read_limits(call: Call) -> Body:
    """How much a card may hold, and when its PIN is asked for."""
    programme = call.programme(call.path["programme"])
    return _limits(programme, limits.of(call.session, programme.id, programme.currency))


def change_limits(call: Call) -> Body:
    """Set them; what is left out is as usual."""
    programme = call.programme(call.path["programme"])
    wanted = limits.parse({name: call.body[name] for name in limits.NAMES}, programme.currency)
    limits.change(call.session, programme, wanted, now=call.now)
    answer = _limits(programme, wanted)
    call.record("value_limits_changed", f"programme:{programme.public_id}", **answer)
    return answer


def new_load(call: Call, currency: str) -> NewLoad:
    """The load that a body asks for, of a card in *currency*."""
    body = call.body
    wanted = body["currency"] or currency
    if wanted != currency:
        text = f"This card holds {currency}; the amount is in {wanted}."
        raise Unprocessable("currency_mismatch", text, errors={"currency": text})
    amount = money.minor_units(body["amount"], currency)
    return NewLoad(amount_minor=amount, currency=currency, reference=body["funding_reference"] or "")


def moved(done: Done, store: cards.NamedStore | None, *, unit: str | None = None) -> Body:
    """What a movement of money answers."""
    currency = done.card.currency
    entry = shapes.transaction(done.entry, number=done.card.number, store_id=store.public_id if store else None)
    return {
        "transaction": entry,
        "balance": money.decimal_text(done.card.in_unit(unit or currency), currency),
        "currency": currency,
    }


def _minor(amount: str, card: Held, currency: str) -> int:
    """Raises: Unprocessable `currency_mismatch`, before the amount is read in a currency of other decimals."""
    service.check_amount(card, 1, currency)
    return money.minor_units(amount, card.currency)


def _liability(programme: Programme, found: Liability) -> Body:
    names = ("loaded", "paid", "refunded", "paid_out", "waived", "outstanding")
    amounts = {name: money.decimal_text(getattr(found, name), found.currency) for name in names}
    return {
        "programme": programme.public_id,
        "currency": found.currency,
        "at": shapes.moment(found.at),
        **amounts,
        "cards": found.cards,
        "is_exact": found.is_exact,
    }


def _limits(programme: Programme, found: Limits) -> Body:
    currency = programme.currency
    cap = found.bearer_cap_minor
    return {
        "currency": currency,
        "load_limit": money.decimal_text(found.load_limit_minor, currency),
        "pin_above": money.decimal_text(found.pin_above_minor, currency),
        "bearer_cap": None if cap is None else money.decimal_text(cap, currency),
    }


OPERATIONS = (
    Operation(
        method="POST",
        rule="/cards/<number>/load",
        name="load_card",
        summary="Put money on a card",
        description="A funding reference loads once in its programme. Loaded money never expires.",
        tag="stored value",
        scope="write",
        work=load,
        body=value_shapes.NewLoad,
        answer=value_shapes.ValueMoved,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/pay",
        name="pay",
        summary="Pay with money on a card",
        description="If there is less than asked for: 422 partial_offered, with what can be paid as errors.payable.",
        tag="stored value",
        scope="write",
        work=pay,
        body=value_shapes.NewPayment,
        answer=value_shapes.ValueMoved,
        status=201,
        moves_points=True,
        refusals=(403,),
    ),
    Operation(
        method="POST",
        rule="/transactions/<transaction>/refund",
        name="refund",
        summary="Give a payment back to its card, wholly or in parts",
        tag="stored value",
        scope="write",
        work=refund,
        body=value_shapes.NewRefund,
        answer=value_shapes.ValueMoved,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/settle",
        name="settle",
        summary="Bring a card's money to zero: paid out, or waived by its holder",
        description="Needed before a member with money on the card can be erased.",
        tag="stored value",
        scope="write",
        work=settle,
        body=value_shapes.NewSettlement,
        answer=value_shapes.ValueMoved,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="GET",
        rule="/programmes/<programme>/liability",
        name="read_liability",
        summary="What a programme owes on its cards, from the ledger",
        tag="stored value",
        work=read_liability,
        answer=value_shapes.Liability,
    ),
    Operation(
        method="GET",
        rule="/programmes/<programme>/value-limits",
        name="read_value_limits",
        summary="Read how much a card may hold",
        tag="stored value",
        work=read_limits,
        answer=value_shapes.Limits,
    ),
    Operation(
        method="PUT",
        rule="/programmes/<programme>/value-limits",
        name="change_value_limits",
        summary="Set how much a card may hold, and when its PIN is asked for",
        tag="stored value",
        scope="admin",
        work=change_limits,
        body=value_shapes.LimitsChange,
        answer=value_shapes.Limits,
    ),
)
