"""The till without a connection: its page and worker, what it sends afterwards, and what somebody must look at."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, make_response, redirect, render_template, request, session
from flask import url_for as address_of
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app import failpoints, money
from app.cards import codes
from app.errors import AppError, Busy, TooManyRequests, Unprocessable
from app.i18n import page_language
from app.staff import rules as roles
from app.staff import throttle
from app.staff.guards import current_staff, requires
from app.till import amounts, desk
from app.till.desk import Desk
from app.till.models import OfflineSale
from app.till.offline import booking, forms, page, service, words
from app.till.offline.booking import Sender
from app.till.offline.forms import Delivery, Kept
from app.till.offline.rules import LARGEST_POINTS, UNKNOWN_CODES, is_clock_wrong
from app.till.offline.service import Arrival
from app.till.rules import sale_limit_minor
from app.web import world

blueprint = Blueprint("till_offline", __name__, url_prefix="/till")

# What the page needs to open without a connection: all of it is the same for everybody.
SHELL = (
    "tessera.css", "till.css", "mark.svg", "till/manifest.webmanifest", "till/icon-192.png", "till/sound.js",
    "till/camera.js", "till/scanner.js", "till/offline_amounts.js", "till/offline_codes.js", "till/offline_page.js",
    "till/offline_store.js", "till/offline_sync.js",
)  # fmt: skip
IN_PROGRESS = "in_progress"


@blueprint.get("/offline")
@requires(*roles.TILL)
def screen() -> AnyResponse:
    """The page that browsers keep. It names nobody; who works here is known to the script alone."""
    answer = make_response(_page())
    answer.headers["Permissions-Policy"] = "camera=(self)"
    return answer


@blueprint.get("/offline-worker.js")
@requires(*roles.TILL)
def worker() -> AnyResponse:
    """The service worker. A new release, or another language, is another version of what it keeps."""
    folder = Path(str(current_app.static_folder))
    digest = hashlib.sha256(_page().encode())
    for name in (*SHELL, "till/offline_worker.js"):
        digest.update((folder / name).read_bytes())
    shell = {
        "version": digest.hexdigest()[:16],
        "page": address_of("till_offline.screen"),
        "files": [address_of("static", filename=name) for name in SHELL],
    }
    script = (folder / "till/offline_worker.js").read_text(encoding="utf-8")
    answer = Response(f"const SHELL = {json.dumps(shell)};\n{script}", mimetype="text/javascript")
    answer.headers["Service-Worker-Allowed"] = "/till"
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@blueprint.get("/offline/state")
@requires(*roles.TILL)
def state() -> AnyResponse:
    """Who stands where and what is allowed without a connection; a script keeps it. No names of people."""
    with world().database.reading() as reading:
        here = desk.standing(reading)
        allowed = booking.rules_of(reading, here.choice.store_id)
        currency = here.programme.currency
        told = {
            "csrf": generate_csrf(),
            "cashier": here.who.public_id,
            "place": {"id": _place_id(here), "name": here.store.name if here.store else here.programme.name},
            "zone": here.timezone,
            "money": {
                "currency": currency,
                "exponent": money.exponent(currency),
                "used": amounts.used_decimals(currency),
                "largest": money.LARGEST_MINOR,
                "example": money.example_in(currency, page_language()),
            },
            "limit": money.LARGEST_MINOR if here.manages else sale_limit_minor(currency),
            "points_per_day": allowed.points_per_day,
            "stamp_cards": booking.stamp_cards(reading, here, language=page_language(), now=world().clock()),
            "conflicts": service.count_waiting(reading, here),
        }
    return jsonify(told)


@blueprint.post("/sync")
@requires(*roles.TILL)
def sync() -> AnyResponse:
    """Take a batch of a till's queue. Each item is a transaction of its own, so that a cut leaves none half done."""
    delivery = Delivery.parse(request.get_json(silent=True))
    parts, who, now = world(), current_staff(), world().clock()
    with parts.database.reading() as reading:
        throttle.check_lock(reading, UNKNOWN_CODES, who.actor, now=now)
        places = {_place_id(one): one for one in desk.places(reading, who)}
    arrival = Arrival(sender=Sender(who=who, places=places, terminal=_terminal()), sent_at=delivery.sent_at)
    results = [_received(arrival, raw) for raw in delivery.items]
    off_s = round((delivery.sent_at - now).total_seconds()) if is_clock_wrong(delivery.sent_at, now) else 0
    return jsonify(results=results, now=now.isoformat(), clock_off_s=off_s)


@blueprint.get("/conflicts")
@requires(*roles.TILL)
def conflicts() -> AnyResponse:
    """What was refused or is odd. Everybody at the till may look; managers decide."""
    return _conflicts()


@blueprint.post("/conflicts/<sale_id>/accept")
@requires("manager")
def accept(sale_id: str) -> AnyResponse:
    def work(writing: Session, here: Desk) -> object:
        note = request.form.get("note", "").strip()
        return service.accept(writing, here, sale_id, number=_other_card(), note=note, now=world().clock())

    return _settle(sale_id, work)


@blueprint.post("/conflicts/<sale_id>/dismiss")
@requires("manager")
def dismiss(sale_id: str) -> AnyResponse:
    def work(writing: Session, here: Desk) -> object:
        return service.dismiss(writing, here, sale_id, note=request.form.get("note", ""), now=world().clock())

    return _settle(sale_id, work)


@blueprint.post("/conflicts/noted")
@requires("manager")
def noted() -> AnyResponse:
    """Take note of everything that is odd only by the till's clock."""
    return _settle("", lambda writing, here: service.note_flagged(writing, here, now=world().clock()))


@blueprint.post("/offline/rules")
@requires("manager")
def allow() -> AnyResponse:
    """What this store's tills may do without a connection."""

    def work(writing: Session, here: Desk) -> object:
        stamps = request.form.get("stamps") == "yes"
        return service.allow(writing, here, stamps=stamps, points_per_day=_points_per_day(), now=world().clock())

    return _settle("rules", work)


def _received(arrival: Arrival, raw: Any) -> dict[str, object]:
    """One item's answer. `kept`: it is in our hands now, booked or not; else the till goes on keeping it."""
    try:
        kept = Kept.parse(raw)
        service.place_of(arrival.sender, kept)
    except AppError as fault:
        return _not_taken(raw, fault)
    database, now = world().database, world().clock()
    try:
        row, again = database.transact(lambda writing: service.receive(writing, arrival, kept, now=now))
    except AppError as refusal:
        if isinstance(refusal, Busy | TooManyRequests) or refusal.code == IN_PROGRESS:
            raise  # nobody knows yet: the till sends it again
        if refusal.code == "idempotency_mismatch":
            return _not_taken(raw, refusal)
        problem = refusal
        row, again = database.transact(lambda writing: service.keep_refused(writing, arrival, kept, problem, now=now))
        _count_unknown(arrival.sender, refusal)
    failpoints.reached("offline.committed")
    return _result(row, again)


def _result(row: OfflineSale, again: bool) -> dict[str, object]:
    return {
        "id": row.client_id,
        "status": "refused" if row.status == "dismissed" else row.status,
        "reason": row.reason,
        "text": words.why(row.reason, row.detail, row.currency) if row.reason else "",
        "flags": row.flags,
        "replayed": again,
        "kept": True,
    }


def _not_taken(raw: Any, problem: AppError) -> dict[str, object]:
    try:
        known = forms.client_id(raw)
    except AppError:
        known = ""
    return {
        "id": known,
        "status": "refused",
        "reason": problem.code,
        "text": words.plain(problem),
        "flags": [],
        "replayed": False,
        "kept": False,
        "again": problem.code == "wrong_store",
    }


def _count_unknown(sender: Sender, refusal: AppError) -> None:
    if refusal.code == "unknown_code":
        with world().database.unit_of_work() as writing:
            throttle.count_failure(writing, UNKNOWN_CODES, sender.who.actor, now=world().clock())


def _settle(sale_id: str, work: Callable[[Session, Desk], object]) -> AnyResponse:
    database = world().database
    try:
        with database.reading() as reading:
            here = desk.standing(reading)
        database.transact(lambda writing: work(writing, here))
    except AppError as refusal:
        if isinstance(refusal, Busy):
            raise
        return _conflicts(refused_id=sale_id, refusal=refusal)
    return redirect(address_of("till_offline.conflicts"), code=303)


def _conflicts(*, refused_id: str = "", refusal: AppError | None = None) -> AnyResponse:
    with world().database.reading() as reading:
        here = desk.chosen(reading)
        if here is None:
            return redirect(address_of("till.store"), code=303)
        drawn = page.conflicts_of(
            reading, here, language=page_language(), refused_id=refused_id, typed=request.form if refusal else {},
            refusal=words.refusal(refusal, here.programme.currency) if refusal else "",
        )  # fmt: skip
    answer = make_response(render_template("till/conflicts.html", page=drawn, staff=here.who))
    if refusal is not None:
        answer.status_code = refusal.status
    return answer


def _page() -> str:
    return render_template("till/offline.html", words=words.for_scripts())


def _other_card() -> str | None:
    text = request.form.get("code", "").strip()
    if not text:
        return None
    number = codes.normalise(text)
    if number is None:
        raise Unprocessable("not_a_code", "This is not a card code. Check it for a typing mistake.")
    return number


def _points_per_day() -> int:
    text = request.form.get("points_per_day", "").strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 7) or int(text) > LARGEST_POINTS:
        sentence = "Points a day are a whole number, 0 for none."
        raise Unprocessable("invalid_allowance", sentence, errors={"points_per_day": sentence})
    return int(text)


def _place_id(here: Desk) -> str:
    return here.store.public_id if here.store else here.programme.public_id


def _terminal() -> str:
    return str(session.get("terminal", ""))
