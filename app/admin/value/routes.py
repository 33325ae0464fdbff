"""Cards with money or without a person: sold, loaded, stopped, replaced, printed; and what is owed on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import money
from app.admin import gate, words
from app.admin.pages import shown
from app.admin.texts import gettext
from app.admin.value import forms
from app.cards import codes, people
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.counter import paying, swapping
from app.counter.moves import Actor
from app.counter.swapping import Owner
from app.errors import AppError, NotFound
from app.i18n import page_language, translate
from app.ledger import service as ledger
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.value import liability, limits, pins, service, stock
from app.value.models import Batch, ValueCard
from app.web import world

NO_COUNTRY = "ZZ"  # phone numbers are written with their country code
blueprint = Blueprint("admin_value", __name__, url_prefix="/admin/programmes/<slug>/gift-cards")


@dataclass(frozen=True, kw_only=True)
class Acted:
    """What was done to a card: the card to show, a sentence, and a PIN to show this once."""

    card: Card
    sentence: str
    pin: str | None = None


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def overview(slug: str) -> AnyResponse:
    """What is owed, the newest cards, batches and limits; with ?number= the card of that number."""
    programme = _programme(slug)
    number = request.args.get("number", "").strip()
    if number:
        with world().database.reading() as reading:
            card = cards.by_number(reading, number, programme_id=programme.id)
        if card is not None:
            return redirect(url_for("admin_value.card", slug=slug, serial=card.serial))
        return _overview(programme, {"number": gettext("Card not found.")}, {"number": number}, status=404)
    return _overview(programme, {}, {})


@blueprint.post("", strict_slashes=False)
@requires(*rules.ADMIN)
def issue(slug: str) -> AnyResponse:
    """Sell a gift card. Its page shows the PIN, this once."""

    def work(writing: Session, programme: Programme, form: Mapping[str, str]) -> Acted:
        now = world().clock()
        made = stock.issue(writing, programme, "gift", source="admin", now=now)
        pin = pins.give(writing, stock.kept(writing, made.id, programme.id), made.serial)
        done = paying.load(writing, made, forms.load(form, programme.currency), by=_actor(), now=now)
        _note(writing, made, "gift_card_issued", amount=_amount(done.entry.points, programme), entry=done.entry.id)
        return Acted(
            card=made, sentence=gettext("The gift card is made. Write down its PIN: it is shown this once."), pin=pin
        )

    programme = _programme(slug)
    try:
        acted = _do(work, programme)
    except AppError as problem:
        return _overview(programme, forms.by_field(problem), request.form, status=problem.status)
    return _card_page(programme, acted.card.serial, acted=acted)


@blueprint.post("/limits")
@requires(*rules.ADMIN)
def change_limits(slug: str) -> AnyResponse:
    programme, parts = _programme(slug), world()
    try:
        wanted = limits.parse(forms.limit_texts(request.form), programme.currency)
        with parts.database.unit_of_work() as writing:
            limits.change(writing, programme, wanted, now=parts.clock())
            after = forms.typed_limits(wanted, programme.currency)
            audit.record(
                writing, actor=current_staff().actor, action="value_limits_changed",
                subject=f"programme:{programme.public_id}", after=after, now=parts.clock(),
            )  # fmt: skip
    except AppError as problem:
        return _overview(programme, forms.by_field(problem), request.form, status=problem.status)
    flash(gettext("The limits are changed. What cards hold already stays on them."), "good")
    return redirect(url_for("admin_value.overview", slug=slug), code=303)


@blueprint.post("/batches")
@requires(*rules.ADMIN)
def make_batch(slug: str) -> AnyResponse:
    programme, parts = _programme(slug), world()
    try:
        with parts.database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id)
            made = stock.make_batch(
                writing, row, forms.batch(request.form), by=current_staff().actor, now=parts.clock()
            )
            after = {"kind": made.kind, "size": made.size, "name": made.name}
            audit.record(
                writing, actor=current_staff().actor, action="card_batch_made", subject=f"batch:{made.public_id}",
                after=after, now=parts.clock(),
            )  # fmt: skip
    except AppError as problem:
        return _overview(programme, forms.by_field(problem), request.form, status=problem.status)
    return redirect(url_for("admin_value.batch", slug=slug, batch_id=made.public_id), code=303)


@blueprint.get("/batches/<batch_id>")
@requires(*rules.ADMIN_READ)
def batch(slug: str, batch_id: str) -> AnyResponse:
    """The cards of a batch, to be printed."""
    programme = _programme(slug)
    with world().database.reading() as reading:
        found = stock.batch_named(reading, batch_id)
        if found is None or found.programme_id != programme.id:
            raise NotFound("unknown_batch", "There is no batch at this address.")
        sheet = [(codes.barcode_message(one.number), codes.grouped(one.number)) for one in _cards_of(reading, found)]
    return shown("card_batch.html", programme=programme, batch=found, sheet=sheet)


@blueprint.get("/batches/<batch_id>.csv")
@requires(*rules.ADMIN_READ)
def batch_csv(slug: str, batch_id: str) -> AnyResponse:
    """The same for a printer's machine."""
    programme, base = _programme(slug), world().settings.base_url
    with world().database.reading() as reading:
        found = stock.batch_named(reading, batch_id)
        if found is None or found.programme_id != programme.id:
            raise NotFound("unknown_batch", "There is no batch at this address.")
        rows = [
            [one.number, codes.barcode_message(one.number), f"{base}/c/{one.link}"] for one in _cards_of(reading, found)
        ]
    return _csv(forms.written([["number", "barcode", "page"], *rows]), f"cards-{found.public_id}.csv")


@blueprint.get("/liability.csv")
@requires(*rules.ADMIN_READ)
def liability_csv(slug: str) -> AnyResponse:
    """What is owed on all cards."""
    programme = _programme(slug)
    with world().database.reading() as reading:
        found = liability.report(reading, programme, now=world().clock())
    return _csv(forms.liability_csv(programme, found), f"liability-{programme.slug}.csv")


@blueprint.get("/<serial>")
@requires(*rules.ADMIN_READ)
def card(slug: str, serial: str) -> AnyResponse:
    """One card: its money, what happened, and what can be done."""
    return _card_page(_programme(slug), serial)


@blueprint.post("/<serial>/<action>")
@requires(*rules.ADMIN)
def act(slug: str, serial: str, action: str) -> AnyResponse:
    """Load, block, unblock, replace, settle, give a new PIN, or give the card to somebody."""
    programme, work = _programme(slug), _ACTIONS.get(action)
    if work is None:
        raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")

    def on_card(writing: Session, of: Programme, form: Mapping[str, str]) -> Acted:
        row = cards.lock(writing, forms.card_of(writing, of, serial).id)
        return work(writing, row, form)

    try:
        acted = _do(on_card, programme)
    except AppError as problem:
        return _card_page(programme, serial, problem=problem)
    if acted.pin:
        return _card_page(programme, acted.card.serial, acted=acted)
    flash(acted.sentence, "good")
    return redirect(url_for("admin_value.card", slug=slug, serial=acted.card.serial), code=303)


def _load(writing: Session, card: Card, form: Mapping[str, str]) -> Acted:
    programme = card.programme
    new = forms.load(form, programme.currency)
    done = paying.load(writing, card, new, by=_actor(), now=world().clock())
    _note(writing, card, "stored_value_loaded", amount=_amount(done.entry.points, programme), entry=done.entry.id)
    loaded = money.shown(new.amount_minor, programme.currency, page_language())
    return Acted(card=card, sentence=gettext("%(amount)s are loaded.", amount=loaded))


def _block(writing: Session, card: Card, form: Mapping[str, str]) -> Acted:
    reason = forms.line(form, "reason")
    if stock.block(writing, card, reason=reason, by=_actor().name, now=world().clock()):
        _note(writing, card, "card_blocked", reason=reason)
    return Acted(card=card, sentence=gettext("The card is stopped. Nothing moves on it."))


def _unblock(writing: Session, card: Card, _form: Mapping[str, str]) -> Acted:
    if stock.unblock(writing, card, now=world().clock()):
        _note(writing, card, "card_unblocked")
    return Acted(card=card, sentence=gettext("The card can be used again."))


def _replace(writing: Session, card: Card, form: Mapping[str, str]) -> Acted:
    reason = forms.line(form, "reason")
    made = swapping.replace_card(writing, card.id, by=_actor(), now=world().clock(), reason=reason)
    _note(writing, card, "card_replaced", by=f"card:{made.card.serial}", reason=reason)
    sentence = gettext("This is the new card. The old number is dead. Write down the PIN: it is shown this once.")
    if made.pin is None:
        sentence = gettext("This is the new card. The old number is dead.")
    return Acted(card=made.card, sentence=sentence, pin=made.pin)


def _pin(writing: Session, card: Card, _form: Mapping[str, str]) -> Acted:
    pin = pins.give(writing, stock.kept(writing, card.id, card.programme_id), card.serial)
    _note(writing, card, "card_pin_changed")
    return Acted(card=card, sentence=gettext("This is the new PIN. It is shown this once."), pin=pin)


def _settle(writing: Session, card: Card, form: Mapping[str, str]) -> Acted:
    how, reason = forms.line(form, "how"), forms.line(form, "note")
    done = paying.settle(writing, card, how, by=_actor(), now=world().clock(), reason=reason)
    amount = _amount(-done.entry.points, card.programme)
    _note(writing, card, "stored_value_settled", how=how, amount=amount, entry=done.entry.id)
    return Acted(card=card, sentence=gettext("The card is settled; nothing is owed on it."))


def _bind(writing: Session, card: Card, form: Mapping[str, str]) -> Acted:
    contact = {name: forms.line(form, name) or None for name in ("email", "phone")}
    person = people.checked(forms.line(form, "name"), **contact, region=NO_COUNTRY)
    owner = Owner(person=person, language=card.programme.language)
    bound = swapping.bind(writing, card.id, owner, by=_actor(), now=world().clock())
    _note(writing, card, "card_bound", to=f"card:{bound.card.serial}", merged=bound.is_merged)
    if bound.is_merged:
        return Acted(card=bound.card, sentence=gettext("This person had a card already; it has everything now."))
    return Acted(card=bound.card, sentence=gettext("The card belongs to this person now."))


_ACTIONS: dict[str, Callable[[Session, Card, Mapping[str, str]], Acted]] = {
    "load": _load, "block": _block, "unblock": _unblock, "replace": _replace, "pin": _pin, "settle": _settle,
    "bind": _bind,
}  # fmt: skip


def _do(work: Callable[[Session, Programme, Mapping[str, str]], Acted], programme: Programme) -> Acted:
    forms.check_printable(request.form)
    with world().database.unit_of_work() as writing:
        return work(writing, writing.get_one(Programme, programme.id), request.form)


def _overview(programme: Programme, errors: dict[str, str], typed: Any, *, status: int = 200) -> AnyResponse:
    currency, language, now = programme.currency, page_language(), world().clock()
    with world().database.reading() as reading:
        owed = liability.report(reading, programme, now=now)
        found = forms.listed(reading, programme)
        batches = stock.batches(reading, programme.id)
        allowed = forms.typed_limits(limits.of(reading, programme.id, currency), currency)
    return shown(
        "gift_cards.html", status=status, programme=programme, owed=owed, cards=found, batches=batches, words=words,
        allowed=allowed, errors={name: translate(text) for name, text in errors.items()}, typed=typed,
        grouped=codes.grouped, money=lambda minor: money.shown(minor, currency, language),
        batch_max=stock.LARGEST_BATCH, example=money.example(currency),
    )  # fmt: skip


def _card_page(
    programme: Programme, serial: str, *, acted: Acted | None = None, problem: AppError | None = None
) -> AnyResponse:
    currency, language = programme.currency, page_language()
    with world().database.reading() as reading:
        row = forms.card_of(reading, programme, serial)
        balance = service.balance_of(reading, row.member_id, currency)
        entries = [one for one in ledger.history(reading, row.id, limit=50) if one.unit == currency]
        kept = reading.get(ValueCard, row.id)
        following = reading.get(Card, kept.replaced_by_id) if kept and kept.replaced_by_id else None
    errors = {name: translate(text) for name, text in forms.by_field(problem).items()} if problem else {}
    return shown(
        "gift_card.html", status=problem.status if problem else 200, programme=programme, card=row, kept=kept,
        following=following, grouped=codes.grouped(row.number), barcode=codes.barcode_message(row.number),
        balance=money.shown(balance, currency, language), balance_minor=balance, entries=entries, acted=acted,
        errors=errors, typed=request.form if problem else {}, words=words, is_locked=_is_locked(kept),
        money=lambda minor: money.shown(minor, currency, language), example=money.example(currency),
        page=f"{world().settings.base_url}/c/{row.link}",
    )  # fmt: skip


def _is_locked(kept: ValueCard | None) -> bool:
    return kept is not None and kept.wrong_pins >= pins.TRIES


def _cards_of(reading: Session, found: Batch) -> list[Card]:
    return list(reading.scalars(stock.cards_of(found)))


def _csv(text: str, name: str) -> AnyResponse:
    answer = Response(text, mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _amount(minor: int, programme: Programme) -> str:
    return money.decimal_text(minor, programme.currency)


def _actor() -> Actor:
    return Actor(name=current_staff().actor, channel="page")


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _note(writing: Session, card: Card, action: str, **after: Any) -> None:
    audit.record(
        writing, actor=current_staff().actor, action=action, subject=f"card:{card.serial}", after=after or None,
        now=world().clock(),
    )  # fmt: skip
