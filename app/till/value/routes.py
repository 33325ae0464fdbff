"""Money at the till: paid with a card, loaded, refunded, and gift cards sold. Each page is a plain form."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import money
from app.cards import codes
from app.errors import AppError, NotFound
from app.i18n import page_language
from app.ledger.models import Entry
from app.staff import rules
from app.staff.guards import requires, terminal
from app.till import desk
from app.till.desk import Desk
from app.till.forms import new_key
from app.till.people import approvals, tiles
from app.till.value import actions
from app.till.value.actions import Sold
from app.till.words import sentence
from app.web import world

blueprint = Blueprint("till_value", __name__, url_prefix="/till/money")

LONGEST_CARRIED = 24
Work = Callable[[Session, Desk], Any]
PIN_REFUSALS = ("wrong_pin", "pin_locked")


@blueprint.get("/sell")
@requires(*rules.TILL)
def sell() -> AnyResponse:
    """The form of a new gift card."""
    return _sell_page()


@blueprint.post("/sell")
@requires(*rules.TILL)
def sell_submit() -> AnyResponse:
    """Sell it; its PIN is on the page that answers, this once."""
    language, now = page_language(), world().clock()
    try:
        sold = _do(lambda writing, here: actions.sell(writing, here, request.form, language=language, now=now))
    except AppError as refusal:
        return _sell_page(refusal=refusal)
    return _sell_page(sold=sold)


@blueprint.get("/<serial>")
@requires(*rules.TILL)
def card(serial: str) -> AnyResponse:
    """The money on a card, and what can be done with it."""
    return _card_page(serial)


@blueprint.post("/<serial>/<action>")
@requires(*rules.TILL)
def act(serial: str, action: str) -> AnyResponse:
    """Pay, pay with bonus money, load or refund."""
    now = world().clock()
    known: dict[str, Work] = {
        "pay": lambda writing, here: actions.pay(writing, here, serial, request.form, now=now),
        "bonus": lambda writing, here: actions.pay_bonus(writing, here, serial, request.form, now=now),
        "load": lambda writing, here: actions.load(writing, here, serial, request.form, now=now),
        "refund": lambda writing, here: actions.refund(writing, here, request.form, now=now),
    }
    if action not in known:
        raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")
    try:
        done = _do(known[action])
    except AppError as refusal:
        return _card_page(serial, refusal=refusal, action=action)
    return redirect(url_for("till_value.card", serial=serial, done=done), code=303)


def _do(work: Work) -> Any:
    """Run it in one transaction. What a refusal says to keep is committed before it is shown."""
    database = world().database
    with database.reading() as reading:
        here = desk.standing(reading)  # before the transaction, in which others wait

    sent = approvals.Sent(address=request.path, fields=tuple(request.form.items(multi=True)))
    if sent.asks:
        approvals.grant(world(), here, sent, terminal())

    return approvals.run(world(), here, sent, work)


def _card_page(serial: str, *, refusal: AppError | None = None, action: str = "") -> AnyResponse:
    language = page_language()
    with world().database.reading() as reading:
        here = desk.standing(reading)
        try:
            purse = actions.purse(reading, here, serial, language=language)
        except AppError as problem:
            return _nothing(here, refusal or problem)
        done = _done(reading, here, purse.card.id, language)
    currency = here.programme.currency
    payable = refusal.errors.get("payable") if refusal and refusal.code == "partial_offered" else None
    return _page(
        "till/value.html", here, refusal, purse=purse, number=codes.grouped(purse.card.number), action=action,
        errors=_errors(refusal, currency), typed=request.form if refusal else {}, done=done, payable=payable,
        carried=request.args.get("amount", "")[:LONGEST_CARRIED],
    )  # fmt: skip


def _sell_page(*, sold: Sold | None = None, refusal: AppError | None = None) -> AnyResponse:
    with world().database.reading() as reading:
        here = desk.standing(reading)
    page = f"{world().settings.base_url}/c/{sold.link}" if sold else ""
    return _page(
        "till/value_sell.html", here, refusal, sold=sold, errors=_errors(refusal, here.programme.currency),
        typed=request.form if refusal else {}, page=page, number=codes.grouped(sold.number) if sold else "",
    )  # fmt: skip


def _nothing(here: Desk, refusal: AppError) -> AnyResponse:
    return _page("till/value.html", here, refusal, purse=None, errors={}, typed={})


def _page(template: str, here: Desk, refusal: AppError | None, **values: Any) -> AnyResponse:
    currency = here.programme.currency
    said = sentence(refusal, currency) if refusal else ""
    wanted = None
    sent = approvals.Sent(address=request.path, fields=tuple(request.form.items(multi=True)))
    if refusal is not None and (refusal.code == "needs_manager" or (sent.asks and refusal.code in PIN_REFUSALS)):
        with world().database.reading() as reading:
            wanted = tiles.wanted(reading, here, sent)
    text = render_template(
        template, desk=here, staff=here.who, key=new_key, example=money.example_in(currency, page_language()),
        refusal=said, screen={"approval": wanted, "refusal": said}, **values,
    )  # fmt: skip
    return make_response(text, refusal.status if refusal else 200)


def _errors(refusal: AppError | None, currency: str) -> dict[str, str]:
    """Beside which fields the refusal stands."""
    names = [name for name in refusal.errors if name != "payable"] if refusal else []
    return {name: sentence(refusal, currency) for name in names} if refusal else {}


def _done(reading: Session, here: Desk, card_id: int, language: str) -> tuple[str, str] | None:
    """What was done last with this card, as (kind, amount), if the address says so."""
    entry = reading.get(Entry, request.args.get("done", "")[:64])
    if entry is None or entry.card_id != card_id:
        return None
    return entry.kind, money.shown(abs(entry.points), here.programme.currency, language)
