"""My card: what the holder of a card's link may see and do."""

import re
from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request
from flask_babel import force_locale
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from app import i18n, money
from app.cards import codes, programmes
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.counter import lasting, leaving
from app.enrolment import export, pages, remembered, stamped
from app.enrolment.card import wishes
from app.enrolment.card.history import history
from app.enrolment.card.wishes import Refused
from app.errors import AppError, Conflict, NotFound, Unprocessable
from app.ledger import service as ledger
from app.ledger.held import POINTS
from app.value import service as value
from app.wallets import notes
from app.wallets.apple.add import signed_pass_by_link
from app.wallets.apple.issuer import issuer
from app.wallets.google.add import save_url
from app.wallets.view import CardView, card_view
from app.web import world

blueprint = Blueprint("card", __name__)

LINK = re.compile(r"[A-Za-z0-9_-]{32}")
PASS_TYPE = "application/vnd.apple.pkpass"


@dataclass(frozen=True, kw_only=True)
class WalletButton:
    """One way onto a phone; `why_not` is said instead where it is closed."""

    vendor: str
    href: str
    why_not: str = ""


@blueprint.get("/c/<link>")
def my_card(link: str) -> Answer:
    return _page(link)


def _page(link: str, *, refused: Refused | None = None) -> Answer:
    """The card's page; with what was sent of its form and why that was not kept, if it was refused."""
    now = world().clock()
    with world().database.reading() as db:
        card = _card(db, link)
        view = card_view(db, card, now=now)
        language = _language(view.language)
        purse = money.shown(view.money_minor, view.programme.currency, language)
        programme = db.get_one(Programme, card.programme_id)
        page = pages.programme_page(
            programme, programmes.design_of(programme), cards.assets(db, programme.id), language
        )
        past = history(db, card, language, before=request.args.get("before", type=int))
        stamp_cards = stamped.stamp_lines(db, card, language, now=now)
        clubs = stamped.club_lines(db, card, language, now=now)
        gates = stamped.gate_lines(db, card, language, now=now)
        wish = wishes.shown(db, card, language, refused)
        ladder = lasting.ladder(db, card.member_id, POINTS, card.programme.timezone)
        owed = ledger.deficit_of(db, card.member_id)
    with force_locale(language):
        text = render_template(
            "enrolment/card.html",
            programme=page,
            view=view,
            language=language,
            number=codes.grouped(view.number),
            barcode=codes.barcode_message(view.number),
            balance=purse if view.kind == "gift" else pages.number(view.balance, language),
            is_gift=view.kind == "gift",
            money=purse if view.money_minor and view.kind != "gift" else "",
            as_of=pages.moment(view.as_of, language, view.programme.timezone),
            tier=view.tier.name_in(language) if view.tier else "",
            next_tier=pages.next_tier(view, language),
            level=notes.level_lines(view, language),
            offers=pages.offers(view, language),
            message=pages.message(view),
            rewards=pages.rewards(view, language) if view.kind != "gift" else [],
            history=past.lines,
            older=past.before,
            stamp_cards=stamp_cards,
            clubs=clubs,
            gates=gates,
            expiring=[
                (notes.day(step.last_on, view.today, language), pages.number(step.units, language))
                for step in ladder.steps
            ],
            never_expiring=pages.number(ladder.never, language) if ladder.never else "",
            owed=pages.number(owed, language) if owed else "",
            wish=wish,
            wish_errors={name: i18n.translate(message) for name, message in wish.errors.items()},
            is_new=request.args.get("new") == "1",
            saved=request.args.get("saved") == "1",
            buttons=_buttons(view),
        )
    return _private(Response(text, 422 if refused else 200, mimetype="text/html"))


@blueprint.get("/c/<link>.pkpass")
def apple_pass(link: str) -> Answer:
    with world().database.reading() as db:
        name = _card(db, link).programme.slug
    made = signed_pass_by_link(world(), link)
    answer = Response(made.content, mimetype=PASS_TYPE)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.pkpass"'
    answer.last_modified = made.modified_at
    return _private(answer.make_conditional(request))


@blueprint.get("/c/<link>/google")
def google_link(link: str) -> Answer:
    with world().database.reading() as db:
        card_id = _card(db, link).id
    return _private(redirect(save_url(world(), card_id), 302))


@blueprint.get("/c/<link>/preferences")
def to_preferences(link: str) -> Answer:
    return _private(redirect(f"/c/{link}#preferences", 302))


@blueprint.post("/c/<link>/preferences")
def preferences(link: str) -> Answer:
    now, form = world().clock(), request.form
    try:
        with world().database.unit_of_work() as db:
            card = cards.lock(db, _card(db, link).id)
            db.refresh(card.member)
            wishes.save(db, card, form, address=request.remote_addr or "", now=now)
            language = card.member.language
    except (Unprocessable, Conflict) as refusal:
        return _page(link, refused=wishes.refused_by(form, refusal))
    answer = redirect(f"/c/{link}?saved=1#preferences", 303)
    answer.set_cookie("lang", language, max_age=remembered.KEPT_S, samesite="Lax", secure=world().settings.secure)
    return _private(answer)


@blueprint.get("/c/<link>/data.zip")
def my_data(link: str) -> Answer:
    with world().database.reading() as db:
        package = export.archive(db, _card(db, link), now=world().clock())
    answer = Response(package, mimetype="application/zip")
    answer.headers["Content-Disposition"] = 'attachment; filename="my-card-data.zip"'
    return _private(answer)


@blueprint.route("/c/<link>/leave", methods=["GET", "POST"])
def leave(link: str) -> Answer:
    """Asks once; what is erased stays erased, and asking again is answered alike. Loaded money is settled first."""
    language = ""
    with world().database.reading() as db:
        card = _card(db, link, erased_too=request.method == "POST")
        language = _language(card.member.language)
        name, currency = card.programme.name, card.programme.currency
        look = f"/assets/look/{card.programme.slug}.css?v={card.programme.design_version}"
        balance = pages.number(ledger.balance_of(db, card.member_id), language)
        owed_minor = value.balance_of(db, card.member_id, currency)
        cookie = remembered.cookie_name(card.programme.public_id)
    gone = request.method == "POST" and not owed_minor and _erased(link)
    owed = money.shown(owed_minor, currency, language) if owed_minor else ""
    with force_locale(language):
        template = "enrolment/gone.html" if gone else "enrolment/leave.html"
        text = render_template(template, name=name, look=look, link=link, balance=balance, owed=owed)
    answer = _private(Response(text, 409 if request.method == "POST" and not gone else 200, mimetype="text/html"))
    if gone:
        answer.delete_cookie(cookie)
    return answer


def _erased(link: str) -> bool:
    """Erase, unless money was loaded in this very moment."""
    try:
        with world().database.unit_of_work() as db:
            card = cards.lock(db, _card(db, link, erased_too=True).id)
            db.refresh(card.member)
            leaving.erase(db, card, now=world().clock())
    except Conflict:
        return False
    return True


@blueprint.errorhandler(NotFound)
def no_card(error: NotFound) -> Answer:
    return _private(Response(render_template("enrolment/no_card.html", error=error), status=404, mimetype="text/html"))


def _card(db: Session, link: str, *, erased_too: bool = False) -> Card:
    card = cards.by_link(db, link) if LINK.fullmatch(link) else None
    if card is None or (card.status == "erased" and not erased_too):
        raise NotFound("unknown_card", "There is no card at this address, or it was given up.")
    return card


def _language(of_member: str) -> str:
    """Asked for in the address, else the member's own."""
    asked = request.args.get("lang")
    return asked if asked in i18n.LANGUAGES else i18n.nearest(of_member)


def _buttons(view: CardView) -> list[WalletButton]:
    """Both wallets, the one of this phone first."""
    apple = WalletButton(vendor="apple", href=f"/c/{view.link}.pkpass", why_not=_apple_closed(view))
    closed = "" if world().settings.google_ready else "not_configured"
    google = WalletButton(vendor="google", href=f"/c/{view.link}/google", why_not=closed)
    return [google, apple] if pages.is_android(request.user_agent.string) else [apple, google]


def _apple_closed(view: CardView) -> str:
    programme = view.programme
    try:
        issuer(world()).identities.credential(
            programme.pass_type_identifier, at=world().clock(), team=programme.team_identifier
        )
    except AppError as refusal:
        return refusal.code
    return ""


def _private(answer: Answer) -> Answer:
    """The address is the key to the card: it is kept from caches, search engines and other sites."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer
