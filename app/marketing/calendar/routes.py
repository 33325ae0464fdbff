"""The calendar: what is planned by month and week, where it clashes, and sends that are moved to another day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from babel.dates import format_date, get_day_names
from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import localtime
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.cards.models import Programme
from app.errors import AppError
from app.i18n import page_language, translate
from app.marketing import place
from app.marketing.calendar import clashes, contents, days, layout
from app.marketing.calendar.plans import Asked
from app.marketing.campaigns import pages as campaign_pages
from app.marketing.campaigns import words
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.staff.models import Staff
from app.web import world

blueprint = Blueprint("marketing_calendar", __name__, url_prefix="/marketing/calendar")
MONDAY_TO_SUNDAY = range(7)


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A move that was refused: what was typed, and why."""

    values: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    status: int = 200


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A send that was just moved, with the way back."""

    name: str
    campaign: str
    before: str
    after: str
    back_to: str
    voided: bool


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def calendar() -> str:
    """A month or a week of what is planned."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        return _page(reading, programme, request.args, Typed())


@blueprint.get("/plan")
@requires(*rules.MARKETING)
def plan() -> Response:
    """Go where something is planned for a day: a campaign, an offer, or a rule of double points."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        now_local = localtime.wall_clock(world().clock(), programme.timezone)
        on = days.read_day(request.args.get("on", ""), now_local.date()).isoformat()
        what = request.args.get("what")
        if what == "offer":
            return redirect(url_for("marketing_offers.new_offer", on=on), 303)
        if what != "points":
            return redirect(url_for("marketing_campaigns.new", on=on), 303)
        if current_staff().may(*rules.ADMIN):
            return redirect(url_for("admin_rules.new_draft", slug=programme.slug, double_on=on), 303)
        names = _operators(reading, programme.id)
    flash(_who_may_double(names), "warn")
    return redirect(url_for("marketing_calendar.calendar", on=on), 303)


@blueprint.post("/move")
@requires(*rules.MARKETING)
def move() -> Response | tuple[str, int]:
    """Put a send on another day or time."""
    now, me = world().clock(), current_staff()
    view, local = request.form.get("view", "month"), request.form.get("local", "")
    try:
        with world().database.unit_of_work() as writing:
            found = campaign_pages.own(writing, request.form.get("campaign", ""))
            before, state = found.send_local, found.state
            _move(writing, found, local, by=me.actor, now=now)
            audit.record(
                writing, actor=me.actor, action="campaign_moved", subject=f"campaign:{found.public_id}",
                before={"send_local": before, "state": state},
                after={"send_local": found.send_local, "state": found.state}, now=now,
            )  # fmt: skip
            public_id, day = found.public_id, found.send_local[:10]
            voided = found.state == "draft" and state != "draft"
    except AppError as refusal:
        return _refused(refusal, view)
    undone = bool(request.form.get("is_undo"))
    if undone:
        flash(gettext("Moved back."), "good")
    told: dict[str, Any] = {} if undone else {"moved": public_id, "back": before[:16], "voided": int(voided)}
    return redirect(url_for("marketing_calendar.calendar", view=view, on=day, **told), 303)


def _move(writing: Session, found: Campaign, local: str, *, by: str, now: datetime) -> None:
    """Move it; one that was scheduled stays so, unless somebody has to approve it anew or its new time is over."""
    was_queued = found.state == "queued"
    campaigns.move(writing, found, local, by=by, now=now)
    if not was_queued:
        return
    try:
        with writing.begin_nested():
            campaigns.launch(writing, found, by=by, now=now)
    except AppError:
        writing.refresh(found)


def _refused(refusal: AppError, view: str) -> tuple[str, int]:
    error = translate(next(iter(refusal.errors.values()), refusal.public))
    with world().database.reading() as reading:
        programme = place.programme(reading)
        asked = {"view": view, "on": request.form.get("local", "")[:10]}
        typed = Typed(values=request.form, error=error, status=refusal.status)
        return _page(reading, programme, asked, typed), refusal.status


def _page(reading: Session, programme: Programme, args: Mapping[str, str], typed: Typed) -> str:
    now, language = world().clock(), page_language()
    local_now = localtime.wall_clock(now, programme.timezone)
    view = args.get("view", "")
    page = days.page_of(view if view in days.VIEWS else "month", days.read_day(args.get("on", ""), local_now.date()))
    asked = Asked(
        programme=programme, first=page.first, last=page.last, now=now, language=language,
        may_write=place.may_write(),
    )  # fmt: skip
    found = contents.read(reading, asked)
    clashing: dict[date, list[str]] = {}
    for clash in found.clashes:
        clashing.setdefault(clash.on, []).append(clashes.sentence(clash, _people, cap_day=found.cap_day))
    weeks = [layout.week(week, found.plans, clashing) for week in page.weeks]
    movable = {one.href.rsplit("/", 1)[1]: one for one in found.plans if one.moves}
    return place.shown(
        "calendar.html",
        reading,
        programme,
        page=page,
        weeks=weeks,
        days_shown=(page.first, page.last),
        today=local_now.date(),
        zone=words.zone_name(programme.timezone),
        now_there=local_now.strftime("%H:%M"),
        heading=_heading(page, language),
        before_name=_heading(days.page_of(page.view, page.before), language),
        after_name=_heading(days.page_of(page.view, page.after), language),
        weekday_names=_weekdays(language),
        long_day=lambda day: format_date(day, "EEEE d MMMM", locale=language),
        range_of=lambda plan: _range(plan.first, plan.last, language),
        kind_names={"offer": gettext("offer"), "rule": gettext("rule of earning"), "pilot": gettext("trial")},
        anything=found.plans or found.by_themselves,
        clashes=[(day, text) for day, texts in clashing.items() for text in texts],
        by_themselves=found.by_themselves,
        said_rules=_said_rules(found.plans),
        proposed=max(local_now.date(), page.anchor),
        movable=[(key, f"{one.title} ({one.first.isoformat()} {one.time})") for key, one in movable.items()],
        movable_local=next(iter(movable.values())).local if movable else "",
        move_values=typed.values,
        move_error=typed.error,
        moved=_moved(reading, programme, args),
    )


def _people(number: int) -> str:
    """`312`, or `10,000+` where no further was counted."""
    return words.number(number) + ("+" if number >= contents.COUNTED_MOST else "")


def _moved(reading: Session, programme: Programme, args: Mapping[str, str]) -> Moved | None:
    """What the address says was moved, if it is so."""
    back = _local(args.get("back", ""))
    if not args.get("moved") or back is None:
        return None
    try:
        found = campaigns.by_id(reading, args["moved"])
    except AppError:
        return None
    local = _local(found.send_local)
    if found.programme_id != programme.id or local is None or local == back:
        return None
    return Moved(
        name=found.name,
        campaign=found.public_id,
        before=words.clock_time(back),
        after=words.clock_time(local),
        back_to=back.isoformat(timespec="minutes"),
        voided=args.get("voided") == "1",
    )


def _local(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is None else None


def _said_rules(plans: list[layout.Plan]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.title, one.note) for one in plans if one.kind == layout.RULE))


def _heading(page: days.Page, language: str) -> str:
    if page.view == "week":
        return _range(page.first, page.last, language)
    return str(format_date(page.anchor, "LLLL y", locale=language))


def _range(first: date, last: date, language: str) -> str:
    if first == last:
        return str(format_date(first, "d MMM y", locale=language))
    start = "d MMM" if first.year == last.year else "d MMM y"
    return f"{format_date(first, start, locale=language)} – {format_date(last, 'd MMM y', locale=language)}"


def _weekdays(language: str) -> list[tuple[str, str]]:
    short, wide = (get_day_names(width, context="stand-alone", locale=language) for width in ("abbreviated", "wide"))
    return [(short[day], wide[day]) for day in MONDAY_TO_SUNDAY]


def _operators(reading: Session, programme_id: int) -> list[str]:
    """Who publishes rules of earning: operators first, then owners."""
    query = select(Staff.name).where(
        Staff.active,
        Staff.role.in_((rules.OWNER, *rules.ADMIN)),
        or_(Staff.programme_id.is_(None), Staff.programme_id == programme_id),
    )
    return list(reading.scalars(query.order_by(Staff.role, Staff.name)))


def _who_may_double(names: list[str]) -> Any:
    if not names:
        return gettext("Rules of earning are published by an operator; the owner can make somebody one.")
    return gettext("Rules of earning are published by an operator. Ask %(names)s.", names=", ".join(names[:3]))
