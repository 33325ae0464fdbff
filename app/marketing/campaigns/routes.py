"""Campaigns: the list, the page that reads like a sentence, and its preview."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import i18n, localtime
from app.campaigns import drafting, policy, runs
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.cards.models import Programme
from app.errors import AppError, Conflict, Unprocessable
from app.marketing import place
from app.marketing.campaigns import choices, forms, pages, side, words
from app.marketing.campaigns.forms import CampaignForm
from app.marketing.once import once
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("marketing_campaigns", __name__, url_prefix="/marketing/campaigns")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a form is about: a campaign that is kept already, or none yet."""

    programme: Programme
    campaign: Campaign | None

    @property
    def action(self) -> str:
        if self.campaign is None:
            return url_for("marketing_campaigns.write")
        return url_for("marketing_campaigns.change", public_id=self.campaign.public_id)

    @property
    def back(self) -> tuple[str, str]:
        if self.campaign is None:
            return url_for("marketing_campaigns.all_campaigns"), gettext("Campaigns")
        return url_for("marketing_campaign.one", public_id=self.campaign.public_id), self.campaign.name


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def all_campaigns() -> str:
    """Drafts, what is being sent, what is scheduled and what is over."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        groups = pages.groups(reading, programme.id)
        return place.shown("campaigns.html", reading, programme, groups=groups, number=words.number)


@blueprint.get("/new")
@requires(*rules.MARKETING)
def new() -> str:
    """An empty campaign, for tomorrow at ten."""
    now = world().clock()
    with world().database.reading() as reading:
        programme = place.programme(reading)
        holds = policy.of(reading, programme.id)
        local_now = localtime.wall_clock(now, programme.timezone)
        values = forms.first_values(programme, holds, local_now, _day(request.args.get("on", "")))
        values |= {name: request.args[name] for name in ("segment", "what") if name in request.args}
        return _form_page(reading, Subject(programme=programme, campaign=None), values, checked=False)


@blueprint.post("/new")
@requires(*rules.MARKETING)
def write() -> str | Response | tuple[str, int]:
    """Look again (nothing is kept), keep as a draft, or schedule."""
    return _written("")


@blueprint.get("/<public_id>/edit")
@requires(*rules.MARKETING)
def edit(public_id: str) -> str:
    """A kept campaign in the same form."""
    with world().database.reading() as reading:
        subject = _subject(reading, public_id)
        holds = policy.of(reading, subject.programme.id)
        assert subject.campaign is not None  # noqa: S101  a public id was given
        values = forms.values_of(reading, subject.campaign, subject.programme, holds)
        return _form_page(reading, subject, values, checked=False)


@blueprint.post("/<public_id>/edit")
@requires(*rules.MARKETING)
def change(public_id: str) -> str | Response | tuple[str, int]:
    """As `write`, of a campaign that is kept."""
    return _written(public_id)


def _written(public_id: str) -> str | Response | tuple[str, int]:
    values = {name: value.replace("\r\n", "\n") for name, value in request.form.items()}
    action = values.get("action", "preview")
    if action not in {"keep", "go", "now"}:
        with world().database.reading() as reading:
            return _form_page(reading, _subject(reading, public_id), values, checked=True)
    try:
        public_id, tone, said = _kept(public_id, values, action)
    except AppError as refusal:
        return _refused(public_id, values, refusal)
    flash(said, tone)
    return redirect(url_for("marketing_campaign.one", public_id=public_id), 303)


def _kept(public_id: str, values: Mapping[str, str], action: str) -> tuple[str, str, str]:
    """Keep it and let it go, if that was asked for: its public id, and what is to be said."""
    now, me = world().clock(), current_staff()

    def work() -> str:
        subject = _subject(writing, public_id)
        form = forms.parse(writing, values, subject.programme, policy.of(writing, subject.programme.id))
        if form.errors or form.draft is None:
            raise Unprocessable("invalid_campaign", "", errors=form.errors)
        kept = _keep(writing, subject, form, by=me.actor, now=now)
        return json.dumps([kept.public_id, *_go(writing, kept, by=me.actor, now=now, action=action)])

    with world().database.unit_of_work() as writing:
        answer = once(writing, work, now=now)
    made, tone, said = json.loads(answer)
    return made, tone, said


def _keep(writing: Session, subject: Subject, form: CampaignForm, *, by: str, now: datetime) -> Campaign:
    """Make the campaign, or change it if nobody else has since it was opened."""
    assert form.draft is not None  # noqa: S101  the caller has seen that it can be read
    if subject.campaign is None:
        made = campaigns.create(writing, form.draft, by=by, now=now)
        _note(writing, made, "campaign_created", by=by, now=now)
        return made
    kept = subject.campaign
    if form.values.get("revision") != str(kept.revision):
        raise Conflict(
            "campaign_changed", "Somebody changed this campaign in the meantime. Open it again and repeat your change."
        )
    before = {"state": kept.state, "revision": kept.revision}
    campaigns.edit(writing, kept, form.draft, by=by, now=now)
    _note(writing, kept, "campaign_edited", by=by, now=now, before=before)
    return kept


def _go(writing: Session, kept: Campaign, *, by: str, now: datetime, action: str) -> tuple[str, str]:
    """Schedule it if that is what was asked for; where a second person is needed it waits for them."""
    if action == "keep":
        return "good", gettext("Kept as a draft. Nobody is told anything yet.")
    if action == "go" and kept.kind == "once" and kept.send_local and runs.next_occurrence(kept, after=now) is None:
        # asked before an approval is: nobody should approve what cannot go
        text = "This time has passed; send it now, or choose a later one."
        raise Unprocessable("in_the_past", text, errors={"send_at": text})
    try:
        with writing.begin_nested():
            campaigns.launch(writing, kept, by=by, now=now, at_once=action == "now")
    except Conflict as refusal:
        if refusal.code != "approval_needed":
            raise
        return "warn", gettext("Kept. It goes to so many people that a second person has to approve it first.")
    _note(writing, kept, "campaign_launched", by=by, now=now)
    if kept.kind == "triggered":
        return "good", gettext("Started. It is sent whenever that happens.")
    return "good", gettext("On its way.") if action == "now" else gettext("Scheduled. It leaves by itself.")


def _refused(public_id: str, values: Mapping[str, str], refusal: AppError) -> tuple[str, int]:
    with world().database.reading() as reading:
        page = _form_page(reading, _subject(reading, public_id), values, checked=True, refusal=refusal)
    return page, refusal.status


def _form_page(
    reading: Session, subject: Subject, values: Mapping[str, str], *, checked: bool, refusal: AppError | None = None
) -> str:
    """The form with what stands beside it. *checked*: say what is wrong; an untouched form is not scolded."""
    now, programme = world().clock(), subject.programme
    holds = policy.of(reading, programme.id)
    form = forms.parse(reading, values, programme, holds)
    if checked:
        form = _judged(form)
    if refusal is not None:
        form = _with_refusal(form, refusal)
    beside = side.drawn(world(), side.read(reading, form.draft, world(), now=now), now=now) if form.draft else None
    if not checked and refusal is None:
        form = CampaignForm(values=values, draft=form.draft)
    return place.shown(
        "campaign_edit.html", reading, programme, form=form, side=beside, labels=_labels(), number=words.number,
        action=subject.action, preview_href=subject.action, back_href=subject.back[0], back_name=subject.back[1],
        is_approved=bool(subject.campaign and subject.campaign.state in {"approved", "queued"}),
        audience=beside.audience if beside else 0, v_kind=values.get("kind", "once"),
        quiet_hint=_quiet_hint(holds), **choices.all_of(reading, programme, values),
    )  # fmt: skip


def _judged(form: CampaignForm) -> CampaignForm:
    """The form with everything that is wrong with it, not only what could not be read."""
    if form.draft is None:
        return form
    try:
        drafting.check(form.draft)
    except AppError as refusal:
        return form.wrong(refusal)
    return form


def _with_refusal(form: CampaignForm, refusal: AppError) -> CampaignForm:
    if refusal.code == "in_the_past" and form.values.get("kind", "once") == "once":
        return form.over(form.values.get("send_local", ""))
    return form.wrong(refusal) if refusal.errors or refusal.public else form


def _labels() -> dict[str, str]:
    named = {
        "what": gettext("Send"), "segment": gettext("To"), "send_local": gettext("Day and time"),
        "every": gettext("Every"), "interval": gettext("Every"), "month_day": gettext("Day of the month"),
        "first_on": gettext("From"), "last_on": gettext("Until"), "times": gettext("At most"),
        "trigger": gettext("What happens"), "timezone_mode": gettext("Whose time"),
        "quiet_from": gettext("Quiet hours"), "holdout": gettext("Holding back"), "metric": gettext("Goal"),
        "goal_days": gettext("Days"), "title": gettext("Lock screen"), "body": gettext("On the card"),
        "name": gettext("Name"), "priority": gettext("Priority"), "topic": gettext("Topic"),
    }  # fmt: skip
    more = {f"{part}_{one}": f"{named[part]} ({one})" for part in ("title", "body") for one in i18n.LANGUAGES}
    return named | more


def _quiet_hint(holds: policy.Policy) -> str:
    if holds.quiet_from == holds.quiet_to:
        return str(gettext("The programme has no quiet hours."))
    said = gettext("By the member’s clock. What is due then waits for the end; the programme has %(start)s to %(end)s.",
                   start=holds.quiet_from, end=holds.quiet_to)  # fmt: skip
    return str(said)


def _subject(reading: Session, public_id: str) -> Subject:
    if not public_id:
        return Subject(programme=place.programme(reading), campaign=None)
    found = pages.own(reading, public_id)
    return Subject(programme=campaigns.programme_of(reading, found), campaign=found)


def _day(text: str) -> str:
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        return ""


def _note(
    writing: Session, kept: Campaign, action: str, *, by: str, now: datetime, before: dict[str, Any] | None = None
) -> None:
    after = {"state": kept.state, "revision": kept.revision, "name": kept.name}
    subject = f"campaign:{kept.public_id}"
    audit.record(writing, actor=by, action=action, subject=subject, before=before, after=after, now=now)
