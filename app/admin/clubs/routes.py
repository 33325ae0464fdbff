"""Clubs of a programme: made and ended, joined and renewed, and what is open to their members alone."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.pages import shown
from app.admin.programmes.forms import unprintable, whole_number
from app.admin.texts import gettext
from app.cards import codes
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.clubs import gates, service
from app.clubs.gates import GatedLinkDraft
from app.clubs.models import Club, ClubMembership
from app.clubs.service import ClubDraft, Term
from app.errors import AppError, NotFound, Unprocessable
from app.staff import audit, rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_clubs", __name__, url_prefix="/admin/programmes/<slug>/clubs")

LISTED = 50
Work = Callable[[Session, Programme, Mapping[str, str]], str]


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def listing(slug: str) -> AnyResponse:
    """All clubs with their members, and the forms."""
    return _page(_programme(slug), {}, {})


@blueprint.post("", strict_slashes=False)
@requires(*rules.ADMIN)
def create(slug: str) -> AnyResponse:
    return _do(slug, _create, prefix="club")


@blueprint.post("/<public_id>/end")
@requires(*rules.ADMIN)
def end(slug: str, public_id: str) -> AnyResponse:
    """Let nobody join or renew any more."""

    def work(writing: Session, programme: Programme, _form: Mapping[str, str]) -> str:
        club = _own(writing, programme, public_id)
        service.end(writing, club)
        _note(writing, f"club:{club.public_id}", "club_ended", slug=club.slug)
        return gettext("%(name)s takes no more members; memberships run to their end.", name=club.name)

    return _do(slug, work, prefix="club")


@blueprint.post("/members")
@requires(*rules.ADMIN)
def membership(slug: str) -> AnyResponse:
    """Let a card join, renew or leave."""
    return _do(slug, _membership, prefix="term")


@blueprint.post("/links")
@requires(*rules.ADMIN)
def add_link(slug: str) -> AnyResponse:
    """Gate an address."""
    return _do(slug, _link, prefix="link")


@blueprint.post("/links/<public_id>/close")
@requires(*rules.ADMIN)
def close_link(slug: str, public_id: str) -> AnyResponse:
    """Open an address to nobody any more."""

    def work(writing: Session, programme: Programme, _form: Mapping[str, str]) -> str:
        link = gates.close(writing, programme.id, public_id)
        _note(writing, f"gated_link:{link.public_id}", "gated_link_closed", slug=link.slug)
        return gettext("%(name)s is closed.", name=link.title)

    return _do(slug, work, prefix="link")


def _create(writing: Session, programme: Programme, form: Mapping[str, str]) -> str:
    draft = ClubDraft(
        programme=programme, slug=_line(form, "slug"), name=_line(form, "name"), benefits=form.get("benefits", ""),
        term_months=whole_number(form.get("term_months", ""), wrong=-1),
    )  # fmt: skip
    made = service.create(writing, draft, by=current_staff().actor, now=world().clock())
    _note(writing, f"club:{made.public_id}", "club_created", slug=made.slug, name=made.name)
    return gettext("%(name)s is made.", name=made.name)


def _membership(writing: Session, programme: Programme, form: Mapping[str, str]) -> str:
    card = cards.by_number(writing, form.get("number", ""), programme_id=programme.id)
    if card is None:
        text = gettext("Card not found.")
        raise Unprocessable("unknown_card", text, errors={"number": text})
    club = _own(writing, programme, form.get("club", ""))
    told: dict[str, Any] = {"by": current_staff().actor, "now": world().clock()}
    reference, action = _line(form, "reference"), form.get("do", "")
    if action == "leave":
        service.leave(writing, club, card, reason=reference, **told)
        _note(writing, f"card:{card.serial}", "club_left", club=club.public_id)
        return gettext("The card has left %(name)s.", name=club.name)
    term = Term(since=_day(form, "since"), until=_day(form, "until"), reference=reference)
    made = (service.renew if action == "renew" else service.join)(writing, club, card, term, **told)
    last = service.last_day(made).isoformat()
    action = "club_renewed" if action == "renew" else "club_joined"
    _note(writing, f"card:{card.serial}", action, club=club.public_id, last_day=last)
    return gettext("The card is in %(name)s until %(day)s.", name=club.name, day=last)


def _link(writing: Session, programme: Programme, form: Mapping[str, str]) -> str:
    kind, _, name = form.get("gate", "").partition(":")
    draft = GatedLinkDraft(
        programme=programme,
        slug=_line(form, "slug"),
        title=_line(form, "title"),
        target_url=_line(form, "target_url"),
        club=_own(writing, programme, name) if kind == "club" else None,
        tier=next((one for one in programme.tiers if kind == "tier" and str(one.id) == name), None),
    )
    made = gates.create(writing, draft, now=world().clock())
    _note(writing, f"gated_link:{made.public_id}", "gated_link_created", slug=made.slug, target_url=made.target_url)
    return gettext("%(name)s is open to them.", name=made.title)


def _do(slug: str, work: Work, *, prefix: str) -> AnyResponse:
    """Do it and come back; what is refused is said beside its field, `<prefix>-<field>`, with the input kept."""
    programme, parts = _programme(slug), world()
    form = {name.removeprefix(f"{prefix}-"): value for name, value in request.form.items()}
    try:
        if errors := {name: text for name, text in unprintable(form).items() if name != "benefits"}:
            raise Unprocessable("invalid_club", " ".join(errors.values()), errors=errors)
        with parts.database.unit_of_work() as writing:
            said = work(writing, writing.get_one(Programme, programme.id), form)
    except NotFound:
        raise
    except AppError as problem:
        sentences = words.field_errors(problem, {}) or {"": words.sentence(problem)}
        errors = {f"{prefix}-{name}".rstrip("-"): text for name, text in sentences.items()}
        return _page(programme, errors, request.form, status=problem.status)
    flash(said, "good")
    return redirect(url_for("admin_clubs.listing", slug=slug), code=303)


def _programme(slug: str) -> Programme:
    return gate.open_programme(world(), current_staff(), slug, subject=f"{request.method} {request.path}")


def _own(session: Session, programme: Programme, public_id: str) -> Club:
    found = service.by_id(session, public_id)
    if found.programme_id != programme.id:
        raise NotFound("unknown_club", "There is no such club.")
    return found


def _day(form: Mapping[str, str], name: str) -> date | None:
    text = _line(form, name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        advice = gettext("Choose a day, such as 2026-11-30.")
        raise Unprocessable("invalid_term", advice, errors={name: advice}) from None


def _line(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _note(writing: Session, subject: str, action: str, **after: object) -> None:
    audit.record(writing, actor=current_staff().actor, action=action, subject=subject, after=after, now=world().clock())


def _page(programme: Programme, errors: dict[str, str], typed: Mapping[str, str], *, status: int = 200) -> AnyResponse:
    now = world().clock()
    with world().database.reading() as reading:
        found = service.of_programme(reading, programme.id)
        links = gates.of_programme(reading, programme.id)
        running = ClubMembership.ends_at > now
        of_club = ClubMembership.club_id.in_([one.id for one in found])
        counts = select(ClubMembership.club_id, func.count()).where(running, of_club).group_by(ClubMembership.club_id)
        members = {row[0]: row[1] for row in reading.execute(counts)}
        next_to_end = (
            select(ClubMembership, Card.number)
            .join(Card, Card.member_id == ClubMembership.member_id)
            .where(running, of_club)
            .options(joinedload(ClubMembership.club).joinedload(Club.programme))
            .order_by(ClubMembership.ends_at, ClubMembership.id)
            .limit(LISTED)
        )
        listed = [
            (one.club.name, codes.grouped(number), service.last_day(one).isoformat())
            for one, number in reading.execute(next_to_end)
        ]
    tiers = {one.id: one.name for one in programme.tiers}
    live = [(one.public_id, one.name) for one in found if one.state == "live"]
    return shown(
        "clubs.html", status=status, programme=programme, clubs=found, links=links, members=members, listed=listed,
        errors=errors, typed=typed, tiers=tiers, club_choices=live,
        gates=[
            *((f"club:{club}", name) for club, name in live), *((f"tier:{tier}", name) for tier, name in tiers.items())
        ],
    )  # fmt: skip
