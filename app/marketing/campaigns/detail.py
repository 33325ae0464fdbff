"""One campaign: its sentence, its progress, and what may be done with it by whom."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.campaigns import policy, testing
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.cards import codes
from app.cards.models import Card
from app.errors import AppError, Conflict, NotFound
from app.fraud.models import StaffCard
from app.i18n import translate
from app.marketing import place
from app.marketing.campaigns import drafts, pages, sentence, side, words
from app.marketing.campaigns.side import Side
from app.staff import audit, rules
from app.staff.guards import StaffIdentity, current_staff, requires
from app.web import world

blueprint = Blueprint("marketing_campaign", __name__, url_prefix="/marketing/campaigns/<public_id>")
OPEN_STATES = ("draft", "approved", "queued")
LONGEST_REASON = 200
SOON = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class May:
    """What this person may do with this campaign now; `why_not`: why they cannot approve it."""

    edit: bool
    approve: bool
    launch: bool
    pause: bool
    resume: bool
    stop: bool
    test: bool
    why_not: str


@blueprint.get("")
@requires(*rules.MARKETING_READ)
def one(public_id: str) -> str:
    """Its sentence, its plan or its progress, and what may be done."""
    now = world().clock()
    with world().database.reading() as reading:
        found = pages.own(reading, public_id)
        programme = campaigns.programme_of(reading, found)
        holds = policy.of(reading, programme.id)
        counts = campaigns.counts(reading, found)
        beside = _side(reading, found, now) if found.state in OPEN_STATES else None
        state, tone = words.campaign_state(found.state, found.kind)
        return place.shown(
            "campaign.html", reading, programme, campaign=found, state=state, tone=tone, side=beside,
            said=sentence.said(reading, found, holds, beside.audience if beside else None),
            counts=counts, reasons=pages.reasons(counts), runs=pages.runs(reading, found, programme.timezone),
            story=pages.story(reading, found, programme.timezone), number=words.number,
            may=_may(found, beside), staff_cards=_staff_cards(reading, programme.id),
            zone=words.zone_name(programme.timezone), is_live=_is_live(reading, found, now),
            withdrawn=pages.withdrawn(found),
        )  # fmt: skip


@blueprint.post("/approve")
@requires(*rules.MARKETING_APPROVE)
def approve(public_id: str) -> Response:
    """Say as a second person that it may go as it is now."""
    said = gettext("Approved. Whoever wrote it can schedule it now.")
    return _changed(public_id, "campaign_approved", said, campaigns.approve)


@blueprint.post("/launch")
@requires(*rules.MARKETING)
def launch(public_id: str) -> Response:
    """Schedule it for its time, or send it now."""
    at_once = bool(request.form.get("at_once"))

    def work(writing: Session, found: Campaign, *, by: str, now: datetime) -> None:
        campaigns.launch(writing, found, by=by, now=now, at_once=at_once)

    said = gettext("On its way.") if at_once else gettext("Scheduled. It leaves by itself.")
    return _changed(public_id, "campaign_launched", said, work)


@blueprint.post("/pause")
@requires(*rules.MARKETING)
def pause(public_id: str) -> Response:
    """Send nothing more for now."""
    said = gettext("Paused. Nothing more is sent until somebody resumes it.")
    return _changed(public_id, "campaign_paused", said, campaigns.pause)


@blueprint.post("/resume")
@requires(*rules.MARKETING)
def resume(public_id: str) -> Response:
    """Go on with it."""
    return _changed(public_id, "campaign_resumed", gettext("It goes on."), campaigns.resume)


@blueprint.post("/stop")
@requires(*rules.MARKETING)
def stop(public_id: str) -> Response:
    """Tell nobody any more, and say how many were told."""
    because = request.form.get("because", "").strip()[:LONGEST_REASON]
    told: list[str] = []

    def work(writing: Session, found: Campaign, *, by: str, now: datetime) -> None:
        counts = campaigns.stop(writing, found, by=by, because=because, now=now)
        unsent = counts.waiting + counts.suppressed
        told.append(
            gettext("Stopped. %(sent)s were sent to, %(unsent)s were not.", sent=words.number(counts.sent),
                    unsent=words.number(unsent))
        )  # fmt: skip

    return _changed(public_id, "campaign_stopped", lambda: told[0], work, reason=because)


@blueprint.post("/test")
@requires(*rules.MARKETING)
def test(public_id: str) -> Response:
    """Send it to the card of somebody who works here."""
    number = request.form.get("card", "") or request.form.get("number", "")

    def work(writing: Session, found: Campaign, *, by: str, now: datetime) -> None:
        typed = codes.normalise(number) or ""
        query = select(Card).where(Card.number == typed, Card.programme_id == found.programme_id)
        card = writing.scalars(query).one_or_none()
        if card is None:
            raise NotFound("unknown_card", "There is no card with this number. Check it for a typing mistake.")
        testing.send(writing, found, card, by=by, now=now)

    said = gettext("A test is on its way to that card.")
    return _changed(public_id, "", said, work)  # the test itself leaves the trace


@blueprint.post("/duplicate")
@requires(*rules.MARKETING)
def duplicate(public_id: str) -> Response:
    """A new draft that says the same, to be changed."""
    now, me = world().clock(), current_staff()
    with world().database.unit_of_work() as writing:
        found = pages.own(writing, public_id)
        draft = drafts.of(writing, found, name=gettext("%(name)s (copy)", name=found.name)[:100], is_copy=True)
        made = campaigns.create(writing, draft, by=me.actor, now=now)
        _note(writing, made, "campaign_created", me.actor, now, reason=f"campaign:{found.public_id}")
    return redirect(url_for("marketing_campaigns.edit", public_id=made.public_id), 303)


def _changed(
    public_id: str, action: str, said: str | Callable[[], str], work: Callable[..., Any], *, reason: str = ""
) -> Response:
    """Do something to a campaign, keep a trace of it, and go back to its page with what is to be said."""
    now, me = world().clock(), current_staff()
    try:
        with world().database.unit_of_work() as writing:
            found = pages.own(writing, public_id)
            work(writing, found, by=me.actor, now=now)
            _require_as_read(found)
            if action:
                _note(writing, found, action, me.actor, now, reason=reason)
        flash(said if isinstance(said, str) else said(), "good")
    except AppError as refusal:
        flash(translate(refusal.public), "bad")
    return redirect(url_for("marketing_campaign.one", public_id=public_id), 303)


def _require_as_read(found: Campaign) -> None:
    """Whoever approves or launches has read what goes: an edit in between is told, and nothing is done.

    Called once the campaign is locked.
    """
    read = request.form.get("revision")
    if read is not None and read != str(found.revision):
        raise Conflict("campaign_changed", "Somebody changed this campaign while you read it. Read it again.")


def _note(writing: Session, found: Campaign, action: str, by: str, now: datetime, *, reason: str) -> None:
    audit.record(
        writing, actor=by, action=action, subject=f"campaign:{found.public_id}",
        after={"state": found.state, "revision": found.revision}, reason=reason, now=now,
    )  # fmt: skip


def _side(reading: Session, found: Campaign, now: datetime) -> Side:
    draft = drafts.of(reading, found, name=found.name)
    return side.drawn(world(), side.read(reading, draft, world(), now=now, kept=found), now=now)


def _is_live(reading: Session, found: Campaign, now: datetime) -> bool:
    """Whether the page will say something else in a moment."""
    if found.kind == "triggered" or found.state not in {"queued", "sending"}:
        return False
    return found.state == "sending" or any(
        run.state == "waiting" and run.fire_at < now + SOON for run in campaigns.runs_of(reading, found, limit=1)
    )


def _may(found: Campaign, beside: Side | None) -> May:
    me = current_staff()
    writes, state = me.may(*rules.MARKETING), found.state
    needs = beside is not None and beside.needs_approval
    wrote = me.actor in {found.created_by, found.changed_by}
    people = beside.people if beside else 0
    approves = state == "draft" and me.may(*rules.MARKETING_APPROVE) and not wrote and people > 0
    return May(
        edit=writes and state in OPEN_STATES,
        approve=approves,
        launch=writes and people > 0 and (state == "approved" or (state == "draft" and not needs)),
        pause=writes and state in {"queued", "sending"},
        resume=writes and state == "paused",
        stop=writes and state not in {"sent", "stopped"},
        test=writes and state not in {"sent", "stopped"},
        why_not=_why_not(me, wrote=wrote) if state == "draft" and needs and not approves else "",
    )


def _why_not(me: StaffIdentity, *, wrote: bool) -> str:
    if wrote:
        return str(gettext("It goes to so many people that a second person has to approve it. You wrote it, so "
                           "somebody else does: an approver, or the owner."))  # fmt: skip
    if not me.may(*rules.MARKETING_APPROVE):
        return str(gettext("It goes to so many people that an approver, or the owner, has to approve it first."))
    return str(gettext("It waits for an approval, and nobody can be told now."))


def _staff_cards(reading: Session, programme_id: int) -> list[tuple[str, str]]:
    """Cards of people who work here, by number."""
    cards = testing.cards(reading, programme_id)
    query = select(StaffCard.card_id, StaffCard.staff).where(StaffCard.card_id.in_([one.id for one in cards]))
    owners = {row.card_id: row.staff for row in reading.execute(query)}
    names = words.people(reading, set(owners.values()))
    return [(one.number, f"{names.get(owners[one.id], owners[one.id])} · {codes.grouped(one.number)}") for one in cards]
