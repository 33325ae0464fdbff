"""Marketing's pages: the offers of a programme, how they will look, and what they did."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import i18n, localtime
from app.cards import expansion
from app.cards.models import Programme, Store
from app.delivery import reach
from app.errors import AppError, Forbidden, NotFound
from app.i18n import page_language
from app.marketing import pages, preview, results
from app.marketing.forms import EVERYBODY, OfferForm, other_languages
from app.offers import service as offers
from app.offers.models import Offer
from app.staff import audit, rules
from app.staff.guards import StaffIdentity, current_staff, requires
from app.web import world

blueprint = Blueprint("marketing", __name__, url_prefix="/marketing")


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def home() -> str:
    """Offers that are live, coming and over, with their figures."""
    now = world().clock()
    with world().database.reading() as reading:
        programme = _programme(reading)
        found = offers.of_programme(reading, programme.id)
        figures = results.of_all(reading, [offer for offer in found if offer.state != "scheduled"])
        choices = _programmes(reading)
        spreading = [one for one in expansion.latest(reading, [programme.id], limit=0) if one.offer_id is not None]
        changes = pages.changes(reading, spreading, world().settings, now)
    groups = pages.groups(found, figures, now=now, language=page_language())
    return render_template(
        "marketing/home.html",
        staff=current_staff(),
        programme=programme,
        choices=[(one.slug, one.name) for one in choices],
        groups=groups,
        changes=[(one, next((row for row in found if row.id == one.offer_id), None)) for one in changes],
        number=pages.number,
        may_write=_may_write(current_staff()),
    )


@blueprint.get("/offers/new")
@requires(*rules.MARKETING)
def new_offer() -> str:
    """An empty form, from now until the end of tomorrow."""
    now = world().clock()
    with world().database.reading() as reading:
        programme = _programme(reading)
        return _form_page(reading, programme, OfferForm(values=pages.first_values(programme, now)))


@blueprint.post("/offers/new")
@requires(*rules.MARKETING)
def write_offer() -> str | Response:
    """Preview (nothing is kept) or schedule."""
    now = world().clock()
    values = {name: value.replace("\r\n", "\n") for name, value in request.form.items()}
    if values.get("action") == "schedule":
        return _schedule(values, now)
    with world().database.reading() as reading:
        programme = _programme(reading)
        return _form_page(reading, programme, OfferForm.parse(values, programme, now=now), show=True)


@blueprint.get("/offers/<public_id>")
@requires(*rules.MARKETING_READ)
def offer(public_id: str) -> str:
    """One offer: how it looks, when it is there, what it did."""
    now = world().clock()
    with world().database.reading() as reading:
        found = _own_offer(reading, public_id)
        draft = pages.draft_of(found)
        view = preview.read(reading, found.programme, draft, now=now, kept_as=found.public_id)
        pictures = preview.pictures_of(reading, found.programme, world().settings.base_url)
        audience = reach.crowd(reading, found.programme_id, found.tier_id)
        figures = results.of(reading, found, audience)
        changes = pages.changes(reading, expansion.of_offer(reading, found.id), world().settings, now)
        reached = reach.of(reading, found.programme_id, audience, world().settings)
    return render_template(
        "marketing/offer.html",
        changes=changes,
        reach=reached,
        duration=pages.duration,
        number=pages.number,
        staff=current_staff(),
        offer=found,
        page=pages.offer_page(found, figures, now=now, language=page_language()),
        previews=preview.draw(world(), view, draft, pictures) if view else [],
        may_write=_may_write(current_staff()),
    )


@blueprint.post("/offers/<public_id>/cancel")
@requires(*rules.MARKETING)
def cancel(public_id: str) -> Response:
    """Call an offer off; a live one leaves the cards at once."""

    def work(writing: Session, found: Offer, now: datetime) -> None:
        offers.cancel(writing, found, now=now)

    said = gettext("The offer is cancelled; it is leaving the cards now.")
    return _changed(public_id, work, action="offer_cancelled", said=said)


@blueprint.post("/offers/<public_id>/stop")
@requires(*rules.MARKETING)
def stop(public_id: str) -> Response:
    """Bring a live offer to no further card."""

    def work(writing: Session, found: Offer, now: datetime) -> None:
        offers.stop_spreading(writing, found, by=current_staff().actor, now=now)

    said = gettext("Stopped. No further card is changed; the offer itself is still live.")
    return _changed(public_id, work, action="offer_spreading_stopped", said=said)


@blueprint.post("/programme")
@requires(*rules.MARKETING_READ)
def choose_programme() -> Response:
    """Look at another programme, for those who see several."""
    session["marketing_programme"] = request.form.get("slug", "")
    return redirect(url_for("marketing.home"), 303)


def _schedule(values: Mapping[str, str], now: datetime) -> str | Response:
    with world().database.unit_of_work() as writing:
        programme = _programme(writing)
        form = OfferForm.parse(values, programme, now=now)
        if form.draft is None:
            return _form_page(writing, programme, form)
        try:
            made = offers.create(writing, form.draft, by=current_staff().actor, now=now)
        except AppError as refusal:
            return _form_page(writing, programme, form.wrong(refusal.errors), show=True)
        _note(writing, "offer_scheduled", made, now)
    flash(gettext("Scheduled. It starts and ends by itself."), "good")
    return redirect(url_for("marketing.offer", public_id=made.public_id), 303)


def _form_page(reading: Session, programme: Programme, form: OfferForm, *, show: bool = False) -> str:
    drawn: list[preview.Preview] = []
    tier = form.draft.tier if form.draft else None
    audience = reach.crowd(reading, programme.id, tier.id if tier else None)
    reached = reach.of(reading, programme.id, audience, world().settings)
    if show and form.draft is not None and form.draft.title.strip():
        view = preview.read(reading, programme, form.draft, now=world().clock())
        pictures = preview.pictures_of(reading, programme, world().settings.base_url)
        drawn = preview.draw(world(), view, form.draft, pictures) if view else []
    stores = reading.scalars(select(Store).where(Store.programme_id == programme.id)).all()
    zones = dict.fromkeys([programme.timezone, *(store.timezone for store in stores), "UTC"])
    return render_template(
        "marketing/offer_new.html",
        staff=current_staff(),
        programme=programme,
        form=form,
        zones=[(zone, zone.replace("_", " ")) for zone in zones],
        audiences=[(EVERYBODY, gettext("Everybody")), *((str(tier.id), tier.name) for tier in programme.tiers)],
        languages=[(code, i18n.NAMES[code]) for code in other_languages(programme)],
        own_language=i18n.NAMES[programme.language],
        previews=drawn,
        shown=show,
        reach=reached,
        duration=pages.duration,
        number=pages.number,
        local_now=localtime.wall_clock(world().clock(), programme.timezone),
    )


def _programmes(reading: Session) -> list[Programme]:
    person = current_staff()
    query = select(Programme).order_by(Programme.name)
    if person.programme_id is not None:
        query = query.where(Programme.id == person.programme_id)
    return list(reading.scalars(query))


def _programme(reading: Session) -> Programme:
    choices = _programmes(reading)
    if not choices:
        raise NotFound("no_programme", gettext("There is no programme yet; the operator makes one first."))
    wanted = session.get("marketing_programme")
    return next((one for one in choices if one.slug == wanted), choices[0])


def _own_offer(reading: Session, public_id: str) -> Offer:
    found = offers.by_id(reading, public_id)
    person = current_staff()
    if person.programme_id is not None and person.programme_id != found.programme_id:
        raise Forbidden("not_yours", gettext("This offer belongs to another programme."))
    return found


def _may_write(person: StaffIdentity) -> bool:
    return person.may(*rules.MARKETING)


def _changed(public_id: str, work: Callable[[Session, Offer, datetime], None], *, action: str, said: str) -> Response:
    """Do something to an offer, keep a trace of it, and go back to its page with what is to be said."""
    now = world().clock()
    try:
        with world().database.unit_of_work() as writing:
            found = _own_offer(writing, public_id)
            work(writing, found, now)
            _note(writing, action, found, now)
        flash(said, "good")
    except AppError as refusal:
        flash(gettext(refusal.public), "bad")
    return redirect(url_for("marketing.offer", public_id=public_id), 303)


def _note(writing: Session, action: str, found: Offer, now: datetime) -> None:
    after: dict[str, Any] = {"state": found.state, "title": found.title}
    audit.record(
        writing,
        actor=current_staff().actor,
        action=action,
        subject=f"offer:{found.public_id}",
        before=None,
        after=after,
        reason="",
        now=now,
    )
