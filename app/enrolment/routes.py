"""Customers' doors: the first page, joining, and the poster."""

from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, make_response, redirect, render_template, request, session
from flask_babel import get_locale, gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from app import i18n, ids
from app.cards import programmes
from app.cards import service as cards
from app.cards.models import Card, Programme, Store
from app.enrolment import forms, joining, pages, remembered
from app.enrolment.assets.routes import blueprint as assets_blueprint
from app.enrolment.card.routes import blueprint as card_blueprint
from app.enrolment.forms import JoinForm
from app.enrolment.gated.routes import blueprint as gated_blueprint
from app.errors import NotFound, TooManyRequests, Unprocessable
from app.wallets import drawing
from app.web import world

blueprint = Blueprint("enrolment", __name__)

CODE_SESSION_KEY = "one_time_code"
POSTER_SIZES = ("a4", "a6", "slip")
A_YEAR_S = 365 * 24 * 3600
RIGHT_TO_LEFT = {"ar", "fa", "he", "ur"}


def install(app: Flask) -> None:
    """Register the customers' pages and what every template may use."""
    app.register_blueprint(blueprint)
    app.register_blueprint(card_blueprint)
    app.register_blueprint(gated_blueprint)
    app.register_blueprint(assets_blueprint)
    app.jinja_env.globals.update(
        **drawing.GLOBALS,
        page_language=_page_language,
        page_direction=lambda: "rtl" if _page_language() in RIGHT_TO_LEFT else "ltr",
        language_links=_language_links,
        translate=i18n.translate,
    )
    app.after_request(_keep_language)


@blueprint.get("/")
def landing() -> str:
    """What this installation is, for whoever types its bare address."""
    with world().database.reading() as db:
        found = _live_programmes(db)
    return render_template("enrolment/landing.html", programmes=found)


@blueprint.route("/join/<slug>", methods=["GET", "POST"])
def join(slug: str) -> Answer:
    if request.method == "POST":
        joining.count_try(world(), request.remote_addr or "")
    with world().database.reading() as db:
        programme = _open_programme(db, slug)
        source = joining.source_of(db, programme, request.args.get("store", ""))
        known = _remembered_card(db, programme)
        page = _programme_page(db, programme)
    if request.method == "POST":
        return _joined(programme, page, known, source)
    if request.args.get("another") == "1":
        known = None
    form = JoinForm(form_key=ids.unguessable(), another=request.args.get("another") == "1")
    return _join_page(page, form, known=known)


@blueprint.route("/join/<slug>/again", methods=["GET", "POST"])
def again(slug: str) -> Answer:
    """For whoever has a card and lost it: the same answer whether we know them or not."""
    if request.method == "POST":
        joining.count_try(world(), request.remote_addr or "")
    with world().database.reading() as db:
        programme = _programme(db, slug)
        page = _programme_page(db, programme)
    error = ""
    if request.method == "POST":
        try:
            person = forms.contact_of(request.form.get("contact", ""), programme)
            session[CODE_SESSION_KEY] = joining.send_code(world(), programme.id, person)
            return redirect(f"/join/{slug}/code", 303)
        except Unprocessable as refusal:
            error = i18n.translate(refusal.public)
    contact = forms.showable(request.form.get("contact", ""))
    answer = make_response(render_template("enrolment/again.html", programme=page, contact=contact, error=error))
    answer.status_code = 422 if error else 200
    return answer


@blueprint.route("/join/<slug>/code", methods=["GET", "POST"])
def code(slug: str) -> Answer:
    if request.method == "POST":
        joining.count_try(world(), request.remote_addr or "")
    with world().database.reading() as db:
        programme = _programme(db, slug)
        page = _programme_page(db, programme)
    code_id = str(session.get(CODE_SESSION_KEY, ""))
    if not code_id:
        return redirect(f"/join/{slug}/again", 303)
    error = ""
    if request.method == "POST":
        try:
            card = joining.redeem_code(world(), code_id, request.form.get("code", ""))
            session.pop(CODE_SESSION_KEY)
            return _to_card(programme, card, is_new=True)
        except (Unprocessable, TooManyRequests) as refusal:
            error = i18n.translate(refusal.public)
    can_mail = bool(world().settings.smtp_url)
    answer = make_response(render_template("enrolment/code.html", programme=page, can_mail=can_mail, error=error))
    answer.status_code = 422 if error else 200
    return answer


@blueprint.get("/join/<slug>/poster")
def poster(slug: str) -> str:
    size = request.args.get("size", "a4")
    with world().database.reading() as db:
        programme = _open_programme(db, slug)
        tag = request.args.get("store", "")
        joining.source_of(db, programme, tag)
        page = _programme_page(db, programme)
        stores = list(db.scalars(select(Store).where(Store.programme_id == programme.id).order_by(Store.name)))
    address = f"{world().settings.base_url}/join/{programme.slug}"
    return render_template(
        "enrolment/poster.html",
        programme=page,
        size=size if size in POSTER_SIZES else "a4",
        store_choices=[("", gettext("All shops")), *((one.public_id, one.name) for one in stores)] if stores else [],
        tag=tag,
        address=f"{address}?store={tag}" if tag else address,
        spoken_address=address.partition("://")[2],
    )


@blueprint.errorhandler(NotFound)
def nowhere(error: NotFound) -> Answer:
    """An address that leads nowhere still leads to the shops that are here."""
    with world().database.reading() as db:
        found = _live_programmes(db)
    page = render_template("enrolment/nowhere.html", error=error, programmes=found)
    return Response(page, status=404, mimetype="text/html")


def _joined(programme: Programme, page: pages.ProgrammePage, known: Card | None, source: str) -> Answer:
    form = JoinForm.parse(request.form, programme)
    if known is not None and not form.another:
        return _to_card(programme, known, is_new=False)
    if form.errors or form.is_robot:
        return _join_page(page, form, status=422)
    language = i18n.page_language()
    done = joining.join_or_recognise(world(), programme.id, form, language=language, source=source)
    if done.card is None:
        session[CODE_SESSION_KEY] = done.code_id
        return redirect(f"/join/{programme.slug}/code", 303)
    return _to_card(programme, done.card, is_new=True)


def _join_page(page: pages.ProgrammePage, form: JoinForm, *, known: Card | None = None, status: int = 200) -> Answer:
    agent = request.user_agent.string
    text = render_template(
        "enrolment/join.html",
        programme=page,
        form=form,
        known=known,
        errors={name: i18n.translate(message) for name, message in form.errors.items()},
        in_app=pages.in_app_browser(agent),
        is_android=pages.is_android(agent),
    )
    return Response(text, status=status, mimetype="text/html")


def _to_card(programme: Programme, card: Card, *, is_new: bool) -> Answer:
    answer = redirect(f"/c/{card.link}{'?new=1' if is_new else ''}", 303)
    answer.set_cookie(
        remembered.cookie_name(programme.public_id),
        remembered.signed(world().vault, card.link),
        max_age=remembered.KEPT_S,
        secure=world().settings.secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _remembered_card(db: Session, programme: Programme) -> Card | None:
    text = request.cookies.get(remembered.cookie_name(programme.public_id), "")
    link = remembered.opened(world().vault, text) if text else None
    card = cards.by_link(db, link) if link else None
    return card if card and card.programme_id == programme.id and card.status == "active" else None


def _programme(db: Session, slug: str) -> Programme:
    found = programmes.by_name(db, slug) if programmes.SLUG.fullmatch(slug) else None
    if found is None:
        raise NotFound("unknown_programme", "There is no card programme at this address.")
    return found


def _open_programme(db: Session, slug: str) -> Programme:
    programme = _programme(db, slug)
    if programme.status == "paused":
        raise NotFound("programme_paused", "This programme takes no new members at the moment.")
    if programme.status == "ended":
        raise NotFound("programme_ended", "This programme has ended.")
    return programme


def _programme_page(db: Session, programme: Programme) -> pages.ProgrammePage:
    design = programmes.design_of(programme)
    return pages.programme_page(programme, design, cards.assets(db, programme.id), _page_language())


def _live_programmes(db: Session) -> list[tuple[Programme, list[str]]]:
    found = db.scalars(select(Programme).where(Programme.status == "live").order_by(Programme.name)).all()
    names: dict[int, list[str]] = {programme.id: [] for programme in found}
    for store in db.scalars(select(Store).where(Store.programme_id.in_(names)).order_by(Store.name)):
        names[store.programme_id].append(store.name)
    return [(programme, names[programme.id]) for programme in found]


def _page_language() -> str:
    return str(get_locale() or "en").partition("_")[0]


def _language_links() -> list[tuple[str, str, str]]:
    """Code, name and address of this page in each language."""
    kept = {key: value for key, value in request.args.items() if key != "lang" and value.isprintable()}
    return [(code, name, f"{request.path}?{urlencode({**kept, 'lang': code})}") for code, name in i18n.NAMES.items()]


def _keep_language(answer: Response) -> Response:
    chosen = request.args.get("lang")
    if chosen in i18n.LANGUAGES and request.cookies.get("lang") != chosen:
        answer.set_cookie("lang", chosen, max_age=A_YEAR_S, samesite="Lax", secure=world().settings.secure)
    return answer
