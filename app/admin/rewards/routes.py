"""The catalogue: what there is to be had, its stock, its dates, and what became of it."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import localtime, money
from app.admin import gate, words
from app.admin.pages import shown
from app.admin.rewards import forms
from app.admin.texts import gettext, ngettext
from app.cards.models import Programme, Store
from app.errors import AppError
from app.i18n import LANGUAGES, NAMES, page_language
from app.rewards import catalogue, slots
from app.rewards.catalogue import Total
from app.rewards.models import KINDS, Reward, Slot
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.stamps.models import StampCard
from app.web import world

blueprint = Blueprint("admin_rewards", __name__, url_prefix="/admin/programmes/<slug>/rewards")
NOTHING = Total(times=0, units=0, value_minor=0)


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def listing(slug: str) -> AnyResponse:
    """The whole catalogue, with how often each was taken."""
    programme = _programme(slug)
    with world().database.reading() as reading:
        found = catalogue.of_programme(reading, programme.id, with_ended=bool(request.args.get("ended")))
        taken = catalogue.totals(reading, [one.id for one in found])
    return shown(
        "rewards.html", programme=programme, rewards=found, taken=taken, nothing=NOTHING,
        with_ended=bool(request.args.get("ended")), kinds=_kinds(), price=_price, state=_state, now=world().clock(),
    )  # fmt: skip


@blueprint.get("/new")
@requires(*rules.ADMIN)
def new(slug: str) -> AnyResponse:
    """The form of a new reward."""
    return _form_page(_programme(slug), {}, {"kind": request.args.get("kind", "product")})


@blueprint.post("", strict_slashes=False)
@requires(*rules.ADMIN)
def add(slug: str) -> AnyResponse:
    parts, programme = world(), _programme(slug)
    try:
        draft = forms.draft(request.form, programme)
        with parts.database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id, with_for_update=True)
            made = catalogue.add(writing, row, draft, now=parts.clock())
            _note(writing, row, "reward_added", made, {"name": made.name, "kind": made.kind, "points": made.points})
    except AppError as problem:
        return _form_page(programme, forms.by_field(problem.errors), request.form, status=problem.status)
    flash(gettext("%(name)s is in the catalogue; cards will show it.", name=made.name), "good")
    return redirect(url_for("admin_rewards.listing", slug=slug), code=303)


@blueprint.get("/<reward_id>")
@requires(*rules.ADMIN_READ)
def one(slug: str, reward_id: str) -> AnyResponse:
    """One reward: what became of it, its dates, and the form to change it."""
    programme = _programme(slug)
    return _reward_page(programme, _reward(programme, reward_id), {}, None)


@blueprint.post("/<reward_id>")
@requires(*rules.ADMIN)
def change(slug: str, reward_id: str) -> AnyResponse:
    parts, programme = world(), _programme(slug)
    reward = _reward(programme, reward_id)
    try:
        with parts.database.unit_of_work() as writing:
            row = writing.get_one(Programme, programme.id, with_for_update=True)
            found = catalogue.by_public_id(writing, programme.id, reward_id)
            before = forms.typed(found, programme)
            catalogue.change(writing, row, found, forms.draft(request.form, programme, of=found), now=parts.clock())
            after = forms.typed(found, programme)
            changed = {name: text for name, text in after.items() if before.get(name) != text}
            if changed:
                _note(writing, row, "reward_changed", found, changed)
    except AppError as problem:
        errors = forms.by_field(problem.errors) or {"page": words.sentence(problem)}
        return _reward_page(programme, reward, errors, request.form, status=problem.status)
    flash(gettext("Saved."), "good")
    return redirect(url_for("admin_rewards.one", slug=slug, reward_id=reward_id), code=303)


@blueprint.post("/<reward_id>/stock")
@requires(*rules.ADMIN)
def stock(slug: str, reward_id: str) -> AnyResponse:
    """Begin to count the stock, or say how many pieces came or went."""
    programme = _programme(slug)

    def work(writing: Session, found: Reward) -> dict[str, Any]:
        if request.form.get("count") == "stop":
            catalogue.count_stock(writing, found, stock=None)
            return {"stock": None}
        number = forms.whole(request.form, "pieces")
        if found.stock is None:
            catalogue.count_stock(writing, found, stock=number)
            return {"stock": number}
        return {"stock": catalogue.restock(writing, found, by=number), "moved_by": number}

    return _changed(programme, reward_id, "reward_restocked", work)


@blueprint.post("/<reward_id>/slots")
@requires(*rules.ADMIN)
def add_slot(slug: str, reward_id: str) -> AnyResponse:
    """Offer a date of an experience."""
    programme = _programme(slug)

    def work(writing: Session, found: Reward) -> dict[str, Any]:
        starts_at, ends_at = forms.moments(request.form, programme, ("slot_starts_at", "slot_ends_at"))
        capacity = forms.whole(request.form, "capacity")
        made = slots.add(writing, found, starts_at=starts_at, ends_at=ends_at, capacity=capacity, now=world().clock())
        return {"slot": made.public_id, "capacity": capacity}

    return _changed(programme, reward_id, "slot_added", work)


@blueprint.post("/<reward_id>/slots/<slot_id>/call-off")
@requires(*rules.ADMIN)
def call_off(slug: str, reward_id: str, slot_id: str) -> AnyResponse:
    """Call a date off; who booked it gets the price back."""

    def work(writing: Session, found: Reward) -> dict[str, Any]:
        slots.call_off(writing, slots.by_public_id(writing, found, slot_id), now=world().clock())
        return {"slot": slot_id}

    return _changed(_programme(slug), reward_id, "slot_called_off", work)


@blueprint.post("/<reward_id>/end")
@requires(*rules.ADMIN)
def end(slug: str, reward_id: str) -> AnyResponse:
    """Take a reward out of the catalogue; what was redeemed stays."""
    parts, programme = world(), _programme(slug)
    with parts.database.unit_of_work() as writing:
        row = writing.get_one(Programme, programme.id, with_for_update=True)
        found, was_active = catalogue.end(writing, row, reward_id, now=parts.clock())
        if was_active:
            _note(writing, row, "reward_ended", found, {"name": found.name})
    flash(gettext("%(name)s is no longer offered.", name=found.name), "good")
    return redirect(url_for("admin_rewards.listing", slug=slug), code=303)


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _reward(programme: Programme, reward_id: str) -> Reward:
    with world().database.reading() as reading:
        return catalogue.by_public_id(reading, programme.id, reward_id)


def _changed(programme: Programme, reward_id: str, action: str, work: Any) -> AnyResponse:
    """Do something to a reward, keep a trace of it, and show its page with what is wrong, if anything is."""
    reward = _reward(programme, reward_id)
    try:
        with world().database.unit_of_work() as writing:
            found = catalogue.by_public_id(writing, programme.id, reward_id)
            _note(writing, programme, action, found, work(writing, found))
    except AppError as problem:
        places = {"starts_at": "slot_starts_at", "ends_at": "slot_ends_at", "stock": "pieces"}
        errors = {places.get(name, name): text for name, text in forms.by_field(problem.errors).items()}
        return _reward_page(programme, reward, errors or {"page": words.sentence(problem)}, None, status=problem.status)
    flash(gettext("Saved."), "good")
    return redirect(url_for("admin_rewards.one", slug=programme.slug, reward_id=reward_id), code=303)


def _note(writing: Session, programme: Programme, action: str, reward: Reward, after: dict[str, Any]) -> None:
    audit.record(
        writing, actor=current_staff().actor, action=action, subject=f"reward:{reward.public_id}",
        after={"programme": programme.public_id, **after}, now=world().clock(),
    )  # fmt: skip


def _form_page(programme: Programme, errors: dict[str, str], typed: Any, *, status: int = 200) -> AnyResponse:
    return shown(
        "reward.html", status=status, programme=programme, reward=None, errors=errors, typed=typed,
        **_choices(programme, typed, None),
    )  # fmt: skip


def _reward_page(
    programme: Programme, reward: Reward, errors: dict[str, str], typed: Any, *, status: int = 200
) -> AnyResponse:
    with world().database.reading() as reading:
        dates = catalogue.slots(reading, reward.id) if reward.kind == "experience" else []
        taken = catalogue.totals(reading, [reward.id]).get(reward.id, NOTHING)
    known = forms.typed(reward, programme)
    return shown(
        "reward.html", status=status, programme=programme, reward=reward, errors=errors, typed=typed or known,
        taken=taken, dates=[(one, _when(one, programme)) for one in dates], state=_state, now=world().clock(),
        extra=request.form if typed is None else {}, price=_price,
        worth=money.shown(taken.value_minor, programme.currency, page_language()),
        **_choices(programme, typed, reward),
    )  # fmt: skip


def _choices(programme: Programme, typed: Any, reward: Reward | None) -> dict[str, Any]:
    with world().database.reading() as reading:
        shops = list(reading.scalars(select(Store).where(Store.programme_id == programme.id).order_by(Store.name)))
        stamps = reading.scalars(
            select(StampCard).where(StampCard.programme_id == programme.id).order_by(StampCard.id)
        ).all()
    sent = typed is not None and hasattr(typed, "getlist")
    chosen = {
        name: set(typed.getlist(name)) if sent else {str(one) for one in (getattr(reward, name) if reward else ())}
        for name in ("stores", "tiers")
    }
    return {
        "kinds": _kinds(),
        "stores": [(str(one.id), one.name, str(one.id) in chosen["stores"]) for one in shops],
        "tiers": [(str(one.id), one.name, str(one.id) in chosen["tiers"]) for one in programme.tiers],
        "units": [("points", gettext("Points")), *((f"voucher:{one.public_id}", one.name) for one in stamps)],
        "languages": [(one, NAMES[one]) for one in LANGUAGES],
    }


def _kinds() -> dict[str, str]:
    named = {
        "discount": gettext("Discount"),
        "product": gettext("Product"),
        "gift": gettext("Gift"),
        "experience": gettext("Experience"),
        "donation": gettext("Donation"),
    }
    return {kind: named[kind] for kind in KINDS}


def _price(reward: Reward, programme: Programme) -> str:
    """What it costs, in words."""
    if not reward.unit:
        return gettext("On its condition")
    if reward.unit != "points":
        return gettext("%(num)s vouchers", num=reward.points)
    points = ngettext("%(num)d point", "%(num)d points", reward.points)
    if not reward.flexible or reward.value_minor is None:
        return points
    return f"{points} = {money.shown(reward.value_minor, programme.currency, page_language())}"


def _state(reward: Reward) -> tuple[str, str]:
    """A badge's tone and words."""
    now = world().clock()
    if not reward.active:
        return "", gettext("Taken off")
    if reward.ends_at is not None and now >= reward.ends_at:
        return "", gettext("Ended")
    if reward.starts_at is not None and now < reward.starts_at:
        return "note", gettext("Not started")
    if reward.stock == 0:
        return "warn", gettext("Sold out")
    return "good", gettext("Offered")


def _when(slot: Slot, programme: Programme) -> str:
    start, end = (localtime.wall_clock(at, programme.timezone) for at in (slot.starts_at, slot.ends_at))
    return f"{start:%Y-%m-%d %H:%M}–{end:%H:%M}"
