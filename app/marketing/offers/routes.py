"""Marketing's pages: the offers of a programme, how they will look, and what they did."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import i18n, localtime
from app.cards import expansion
from app.cards.models import Programme, Store
from app.cards.ranges import Audience
from app.delivery import reach
from app.errors import AppError, Forbidden, NotFound
from app.i18n import page_language, translate
from app.marketing import place
from app.marketing.calendar.days import read_day
from app.marketing.offers import detail, fields, pages, preview, results, words
from app.marketing.offers.forms import EVERYBODY, TARGETED, Choices, OfferForm, other_languages
from app.marketing.offers.keeping import Kept
from app.marketing.once import once
from app.offers import forecast
from app.offers import service as offers
from app.offers.audience import whom
from app.offers.models import PERIODS, Offer
from app.offers.service import OfferDraft
from app.segments import service as segments
from app.segments.models import Segment
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("marketing_offers", __name__, url_prefix="/marketing/offers")
NOT_STARTED = ("draft", "approved", "scheduled")


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def all_offers() -> str:
    """Offers that are live, coming and over, with their figures."""
    now = world().clock()
    with world().database.reading() as reading:
        programme = place.programme(reading)
        found = offers.of_programme(reading, programme.id)
        figures = results.of_all(reading, [offer for offer in found if offer.state not in NOT_STARTED])
        spreading = [one for one in expansion.latest(reading, [programme.id], limit=0) if one.offer_id is not None]
        changes = pages.changes(reading, spreading, world().settings, now)
        return place.shown(
            "offers.html",
            reading,
            programme,
            groups=pages.groups(found, figures, now=now, language=page_language()),
            changes=[(one, next((row for row in found if row.id == one.offer_id), None)) for one in changes],
            number=pages.number,
        )


@blueprint.get("/new")
@requires(*rules.MARKETING)
def new_offer() -> str:
    """An empty form, from now until the end of tomorrow, or for the day that the calendar names (`?on=2026-12-24`)."""
    now = world().clock()
    with world().database.reading() as reading:
        programme = place.programme(reading)
        on = read_day(request.args.get("on", ""), localtime.wall_clock(now, programme.timezone).date())
        return _form_page(reading, programme, OfferForm(values=pages.first_values(programme, now, on)))


@blueprint.post("/new")
@requires(*rules.MARKETING)
def write_offer() -> str | Response:
    """Preview (nothing is kept), keep as a draft, or schedule."""
    values = _sent()
    if values.get("action") in ("schedule", "draft"):
        return _make(values, world().clock())
    with world().database.reading() as reading:
        programme = place.programme(reading)
        return _form_page(reading, programme, _parsed(reading, values, programme), show=True)


@blueprint.get("/<public_id>")
@requires(*rules.MARKETING_READ)
def offer(public_id: str) -> str:
    """One offer: how it looks, when it is there, what it may cost, what it did."""
    now, language = world().clock(), page_language()
    with world().database.reading() as reading:
        found = _own_offer(reading, public_id)
        draft = _drawn(offers.draft_of(reading, found))
        view = preview.read(reading, found.programme, draft, now=now, kept_as=found.public_id)
        pictures = preview.pictures_of(reading, found.programme, world().settings.base_url)
        audience = reach.crowd(reading, whom(found))
        figures = results.of(reading, found, audience)
        people = forecast.people(reading, draft, audience.cards, now=now)
        return place.shown(
            "offer.html",
            reading,
            found.programme,
            changes=pages.changes(reading, expansion.of_offer(reading, found.id), world().settings, now),
            reach=reach.of(reading, found.programme_id, audience, world().settings),
            duration=pages.duration,
            number=pages.number,
            offer=found,
            page=pages.offer_page(found, figures, now=now, language=language),
            facts=words.facts(
                found, found.programme.currency, language, stores=_stores(reading, found.programme),
                segment=_segment(reading, found.segment_id),
            ),
            bars=detail.bars(reading, found, language, now),
            most=detail.most(reading, draft, people, language),
            spent=detail.spent(reading, found, language),
            turns=detail.turns(found),
            may_change=found.state in detail.CHANGES,
            may_call_off=found.state in detail.CALLS_OFF,
            previews=preview.draw(world(), view, draft, pictures) if view else [],
        )  # fmt: skip


@blueprint.get("/<public_id>/edit")
@requires(*rules.MARKETING)
def edit_offer(public_id: str) -> str:
    """The form with what the offer says now."""
    with world().database.reading() as reading:
        found = _own_offer(reading, public_id)
        return _form_page(reading, found.programme, OfferForm(values=_kept(reading, found).values), kept=found)


@blueprint.post("/<public_id>/edit")
@requires(*rules.MARKETING)
def change_offer(public_id: str) -> str | Response:
    """Preview a change, or keep it; what voids the approval makes the offer a draft."""
    values, now = _sent(), world().clock()
    with world().database.unit_of_work() as writing:
        found = _own_offer(writing, public_id)
        form = _parsed(writing, values, found.programme, kept=_kept(writing, found))
        if form.draft is None or values.get("action") != "save":
            return _form_page(writing, found.programme, form, kept=found, show=True)
        before = {"state": found.state, "title": found.title, "revision": found.revision}
        try:
            with writing.begin_nested():
                voided = offers.edit(writing, found, form.draft, now=now)
        except AppError as refusal:
            return _refused(writing, found.programme, form, refusal, kept=found)
        _note(writing, "offer_changed", found, now, before=before)
    said = gettext("Saved. It is a draft again: approve and schedule it.") if voided else gettext("Saved.")
    flash(said, "good")
    return redirect(url_for("marketing_offers.offer", public_id=public_id), 303)


@blueprint.post("/<public_id>/<any(approve, schedule, pause, resume, archive):turn>")
@requires(*rules.MARKETING)
def turn_offer(public_id: str, turn: str) -> Response:
    """Bring an offer into its next state."""
    actor = current_staff().actor
    works: dict[str, tuple[Callable[[Session, Offer, datetime], None], str]] = {
        "approve": (lambda s, o, _: offers.approve(s, o, by=actor), gettext("Approved. Schedule it next.")),
        "schedule": (
            lambda s, o, now: offers.schedule(s, o, now=now), gettext("Scheduled. It starts and ends by itself."),
        ),
        "pause": (lambda s, o, now: offers.pause(s, o, now=now), gettext("Paused. It is leaving the cards now.")),
        "resume": (lambda s, o, now: offers.resume(s, o, now=now), gettext("It goes on.")),
        "archive": (lambda s, o, _: offers.archive(s, o), gettext("Put away.")),
    }  # fmt: skip
    work, said = works[turn]
    return _changed(public_id, work, action=f"offer_{turn}", said=said)


@blueprint.post("/<public_id>/duplicate")
@requires(*rules.MARKETING)
def duplicate_offer(public_id: str) -> Response:
    """A draft with the same words, value and limits."""
    now = world().clock()
    try:
        with world().database.unit_of_work() as writing:
            found = _own_offer(writing, public_id)
            copy = offers.duplicate(writing, found, by=current_staff().actor, now=now)
            _note(writing, "offer_duplicated", copy, now)
            public_id = copy.public_id
    except AppError as refusal:
        flash(translate(refusal.public), "bad")
        return redirect(url_for("marketing_offers.offer", public_id=public_id), 303)
    flash(gettext("This is the copy. Look at its dates, then approve it."), "good")
    return redirect(url_for("marketing_offers.edit_offer", public_id=public_id), 303)


@blueprint.post("/<public_id>/cancel")
@requires(*rules.MARKETING)
def cancel(public_id: str) -> Response:
    """Call an offer off; a live one leaves the cards at once."""

    def work(writing: Session, found: Offer, now: datetime) -> None:
        offers.cancel(writing, found, now=now)

    said = gettext("The offer is cancelled; it is leaving the cards now.")
    return _changed(public_id, work, action="offer_cancelled", said=said)


@blueprint.post("/<public_id>/stop")
@requires(*rules.MARKETING)
def stop(public_id: str) -> Response:
    """Bring a live offer to no further card."""

    def work(writing: Session, found: Offer, now: datetime) -> None:
        offers.stop_spreading(writing, found, by=current_staff().actor, now=now)

    said = gettext("Stopped. No further card is changed; the offer itself is still live.")
    return _changed(public_id, work, action="offer_spreading_stopped", said=said)


def _sent() -> dict[str, str]:
    return {name: value.replace("\r\n", "\n") for name, value in request.form.items()}


def _make(values: Mapping[str, str], now: datetime) -> str | Response:
    schedules = values.get("action") == "schedule"
    with world().database.unit_of_work() as writing:
        programme = place.programme(writing)
        form = _parsed(writing, values, programme)
        if form.draft is None:
            return _form_page(writing, programme, form)
        make = partial(_made, writing, form.draft, now, schedules=schedules)
        try:
            with writing.begin_nested():
                made = once(writing, make, now=now)
        except AppError as refusal:
            return _refused(writing, programme, form, refusal)
    kept = gettext("Kept as a draft. Nobody sees it until it is approved and scheduled.")
    flash(gettext("Scheduled. It starts and ends by itself.") if schedules else kept, "good")
    return redirect(url_for("marketing_offers.offer", public_id=made), 303)


def _made(writing: Session, draft: OfferDraft, now: datetime, *, schedules: bool) -> str:
    make = offers.create if schedules else offers.make_draft
    made = make(writing, draft, by=current_staff().actor, now=now)
    _note(writing, "offer_scheduled" if schedules else "offer_drafted", made, now)
    return made.public_id


def _refused(
    session: Session, programme: Programme, form: OfferForm, refusal: AppError, *, kept: Offer | None = None
) -> str:
    """The form again with each refusal beside its field; one that is about no field, above them."""
    if not refusal.errors:
        flash(translate(refusal.public), "bad")
    return _form_page(session, programme, form.wrong(refusal.errors), kept=kept, show=True)


def _parsed(
    session: Session, values: Mapping[str, str], programme: Programme, *, kept: Kept | None = None
) -> OfferForm:
    choices = Choices(stores=_stores(session, programme), segments=segments.of_programme(session, programme.id))
    return OfferForm.parse(values, programme, now=world().clock(), choices=choices, kept=kept)


def _kept(session: Session, found: Offer) -> Kept:
    draft = offers.draft_of(session, found)
    names = {one.id: one.public_id for one in _stores(session, found.programme)}
    values = fields.values_of(draft, stores=names, segment=_segment(session, found.segment_id))
    return Kept(draft=draft, values=values)


def _form_page(
    reading: Session, programme: Programme, form: OfferForm, *, kept: Offer | None = None, show: bool = False
) -> str:
    now, language = world().clock(), page_language()
    drawn: list[preview.Preview] = []
    draft = _drawn(form.draft) if form.draft else None
    audience = reach.crowd(reading, _whom(programme, draft))
    if show and draft is not None and draft.title.strip():
        view = preview.read(reading, programme, draft, now=now, kept_as=kept.public_id if kept else "")
        pictures = preview.pictures_of(reading, programme, world().settings.base_url)
        drawn = preview.draw(world(), view, draft, pictures) if view else []
    stores = _stores(reading, programme)
    zones = dict.fromkeys([programme.timezone, *(store.timezone for store in stores), "UTC"])
    people = forecast.people(reading, draft, audience.cards, now=now) if draft else audience.cards
    return place.shown(
        "offer_new.html",
        reading,
        programme,
        form=form,
        errors={name: translate(text) for name, text in form.errors.items()},
        kept=kept,
        zones=[(zone, zone.replace("_", " ")) for zone in zones],
        audiences=_audiences(reading, programme, form.values.get("audience", EVERYBODY)),
        kinds=words.kinds(),
        combinations=words.combinations(),
        measures=[(name, words.measures()[name]) for name in fields.budget_rows()],
        periods=[(name, words.periods()[name]) for name in PERIODS],
        weekdays=[(day, words.weekday(day, language)) for day in fields.WEEKDAYS],
        window_rows=fields.window_rows(form.values),
        stores=stores,
        languages=[(code, i18n.NAMES[code]) for code in other_languages(programme)],
        own_language=i18n.NAMES[programme.language],
        previews=drawn,
        shown=show,
        most=detail.most(reading, draft, people, language) if draft and _is_sound(form) else None,
        people=people,
        reach=reach.of(reading, programme.id, audience, world().settings),
        duration=pages.duration,
        number=pages.number,
        local_now=localtime.wall_clock(now, programme.timezone),
    )


def _is_sound(form: OfferForm) -> bool:
    """Whether the most that it may cost can be said: nothing in it is wrong, and its end comes after its start."""
    return not form.errors and form.draft is not None and form.draft.ends_at > form.draft.starts_at


def _audiences(reading: Session, programme: Programme, chosen: str) -> list[tuple[str, str]]:
    """Whom an offer can be for; several tiers only if it is for them already."""
    found = [(EVERYBODY, gettext("Everybody")), *((str(tier.id), tier.name) for tier in programme.tiers)]
    found += [(one.public_id, one.name) for one in segments.of_programme(reading, programme.id)]
    found.append((TARGETED, gettext("Whom a campaign gives it")))
    if "+" in chosen:
        names = [tier.name for tier in programme.tiers if str(tier.id) in chosen.split("+")]
        found.append((chosen, ", ".join(names)))
    return found


def _whom(programme: Programme, draft: OfferDraft | None) -> Audience:
    """Who a draft reaches; of a segment and of what campaigns give, everybody whom it could reach."""
    return Audience(programme_id=programme.id, tiers=tuple(draft.tier_ids) if draft else ())


def _drawn(draft: OfferDraft) -> OfferDraft:
    """A draft for one tier as the previews know it."""
    tiers = [one for one in draft.programme.tiers if one.id in draft.tier_ids]
    return replace(draft, tier=tiers[0] if len(tiers) == 1 else None)


def _stores(reading: Session, programme: Programme) -> list[Store]:
    return list(reading.scalars(select(Store).where(Store.programme_id == programme.id).order_by(Store.name)))


def _segment(reading: Session, segment_id: int | None) -> Segment | None:
    return None if segment_id is None else reading.get(Segment, segment_id)


def _own_offer(reading: Session, public_id: str) -> Offer:
    found = offers.by_id(reading, public_id)
    person = current_staff()
    if person.programme_id is not None and person.programme_id != found.programme_id:
        raise Forbidden("not_yours", gettext("This offer belongs to another programme."))
    return found


def _changed(public_id: str, work: Callable[[Session, Offer, datetime], None], *, action: str, said: str) -> Response:
    """Do something to an offer, keep a trace of it, and go back to its page with what is to be said."""
    now = world().clock()
    try:
        with world().database.unit_of_work() as writing:
            found = _own_offer(writing, public_id)
            work(writing, found, now)
            _note(writing, action, found, now)
        flash(said, "good")
    except NotFound:
        raise
    except AppError as refusal:
        flash(translate(refusal.public), "bad")
    return redirect(url_for("marketing_offers.offer", public_id=public_id), 303)


def _note(
    writing: Session, action: str, found: Offer, now: datetime, *, before: Mapping[str, Any] | None = None
) -> None:
    after: dict[str, Any] = {"state": found.state, "title": found.title, "revision": found.revision}
    audit.record(
        writing,
        actor=current_staff().actor,
        action=action,
        subject=f"offer:{found.public_id}",
        before=dict(before) if before else None,
        after=after,
        reason="",
        now=now,
    )
