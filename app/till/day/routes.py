"""The day so far, and slips: as pages, as text, and as bytes for a receipt printer."""

from datetime import date

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app import localtime
from app.cards.models import Card
from app.counter import paper, slips
from app.counter.paper import Line
from app.errors import NotFound, Unprocessable
from app.i18n import LANGUAGES, page_language
from app.staff import rules
from app.staff.guards import requires
from app.till import desk, finding
from app.till.day import summary, words
from app.till.day.summary import Day
from app.till.desk import Desk
from app.till.rules import SERIAL
from app.web import world

blueprint = Blueprint("till_day", __name__, url_prefix="/till")

TEXT, ESCPOS = "txt", "bin"


@blueprint.get("/day")
@requires(*rules.TILL)
def day() -> AnyResponse:
    """The summary of today, or of the day asked for."""
    here, found = _day()
    language = page_language()
    before, after = summary.span(found.on)
    return make_response(
        render_template(
            "till/day.html",
            desk=here,
            staff=here.who,
            day=found,
            heading=words.heading(found, language),
            together=words.rows(found.together, language),
            people=[(one.name, words.rows(one, language)) for one in found.people],
            before=before,
            after=after if found.until is None else None,
            latest=summary.today(here, world().clock()),
        )
    )


@blueprint.get("/day.<form>")
@requires(*rules.TILL)
def day_slip(form: str) -> AnyResponse:
    """The same on narrow paper."""
    here, found = _day()
    place = here.store.name if here.store else here.programme.name
    who = "" if here.manages else here.who.name
    return _paper(words.slip(found, place, who, page_language()), form)


@blueprint.get("/slips/<entry_id>")
@requires(*rules.TILL)
def slip(entry_id: str) -> AnyResponse:
    """The slip of a movement, to look at and to print with the browser."""
    here, lines, _ = _slip(entry_id)
    text = paper.as_text(lines)
    return make_response(render_template("till/slip.html", desk=here, staff=here.who, text=text, entry_id=entry_id))


@blueprint.get("/slips/<entry_id>.<form>")
@requires(*rules.TILL)
def slip_paper(entry_id: str, form: str) -> AnyResponse:
    """The same as text, or for a receipt printer; `?qr=1` adds the code of the member's page."""
    _, lines, link = _slip(entry_id)
    return _paper(lines, form, qr=link if request.args.get("qr") == "1" else "")


def _slip(entry_id: str) -> tuple[Desk, list[Line], str]:
    """Of what was done at this store, by whomever: customers come back to another cashier."""
    parts = world()
    unknown = NotFound("unknown_transaction", "There is no such transaction.")
    if not SERIAL.fullmatch(entry_id):
        raise unknown
    language = request.args.get("language", "")
    with parts.database.reading() as reading:
        here = desk.standing(reading)
        entry = finding.entry_at(reading, here, entry_id)
        at = here.store.id if here.store else None
        if not (entry.actor == here.who.actor or entry.store_id == at):
            raise unknown
        known = language if language in LANGUAGES else ""
        lines = slips.of_entry(reading, entry, now=parts.clock(), language=known)
        link = reading.get_one(Card, entry.card_id).link
    return here, lines, f"{parts.settings.base_url}/c/{link}"


def _day() -> tuple[Desk, Day]:
    parts, now = world(), world().clock()
    with parts.database.reading() as reading:
        here = desk.standing(reading)
        return here, summary.of_day(reading, here, _asked_for(here), now=now)


def _asked_for(here: Desk) -> date:
    """Raises: Unprocessable `invalid_day`, also for a day that has not begun."""
    latest = summary.today(here, world().clock())
    text = request.args.get("on", "")
    try:
        on = date.fromisoformat(text) if text else latest
        localtime.start_of_day(on, here.timezone), localtime.end_of_day(on, here.timezone)
    except (ValueError, OverflowError):
        on = date.max
    if on > latest or on.year < 2000:
        sentence = "Choose a day up to today, written as 2026-11-30."
        raise Unprocessable("invalid_day", sentence, errors={"on": sentence})
    return on


def _paper(lines: list[Line], form: str, *, qr: str = "") -> AnyResponse:
    if form == TEXT:
        return Response(paper.as_text(lines), mimetype="text/plain")
    if form == ESCPOS:
        return Response(paper.as_escpos(lines, qr=qr), mimetype="application/octet-stream")
    raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")
