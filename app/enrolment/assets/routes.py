"""Public pictures and colours. Addresses with a digest in them never change what they show."""

import re
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import select

from app.cards import programmes
from app.cards.design import readable_on
from app.cards.models import Asset, Programme
from app.enrolment.assets import drawn, look
from app.errors import NotFound
from app.wallets.apple.artwork import initial
from app.web import world

blueprint = Blueprint("assets", __name__)

FOR_EVER = "public, max-age=31536000, immutable"
AN_HOUR = "public, max-age=3600"
DIGEST = re.compile(r"[0-9a-f]{64}")
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}


@blueprint.get("/assets/<digest>.<extension>")
def picture(digest: str, extension: str) -> Response:
    asset = _asset(digest)
    if extension != EXTENSIONS.get(asset.media_type):
        raise _none()
    return _answer(asset.content, asset.media_type, FOR_EVER)


@blueprint.get("/assets/small/<digest>.png")
def small_picture(digest: str) -> Response:
    asset = _asset(digest)
    return _answer(drawn.small(asset.sha256, asset.content), "image/png", FOR_EVER)


@blueprint.get("/assets/default/<slug>-logo.png")
def default_logo(slug: str) -> Response:
    programme = _programme(slug)
    design = programmes.design_of(programme)
    return _answer(drawn.logo(programme.name, design.background_color, design.foreground_color), "image/png", AN_HOUR)


@blueprint.get("/assets/default/<slug>-hero.png")
def default_hero(slug: str) -> Response:
    design = programmes.design_of(_programme(slug))
    return _answer(drawn.hero(design.background_color, design.foreground_color), "image/png", AN_HOUR)


@blueprint.get("/assets/default/<slug>-mark.svg")
def default_mark(slug: str) -> Response:
    """The small logo of our own pages: a letter needs no 660 pixels."""
    programme = _programme(slug)
    design = programmes.design_of(programme)
    ground = look.ink_on(design.background_color)
    fill = readable_on(ground, design.background_color)
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
        f'<rect width="40" height="40" rx="8" fill="{ground}"/><text x="20" y="28" text-anchor="middle" '
        f'font-family="system-ui,sans-serif" font-weight="700" font-size="22" fill="{fill}">'
        f"{initial(programme.name)}</text></svg>"
    )
    return _answer(text.encode(), "image/svg+xml", AN_HOUR)


@blueprint.get("/assets/look/<slug>.css")
def stylesheet(slug: str) -> Response:
    with world().database.reading() as session:
        programme = programmes.by_name(session, slug)
        if programme is None:
            raise _none()
        text = look.stylesheet(programme, programmes.design_of(programme))
    return _answer(text.encode(), "text/css", AN_HOUR)


def _asset(digest: str) -> Asset:
    if not DIGEST.fullmatch(digest):
        raise _none()
    with world().database.reading() as session:
        asset = session.scalars(select(Asset).where(Asset.sha256 == digest).limit(1)).one_or_none()
    if asset is None:
        raise _none()
    return asset


def _programme(slug: str) -> Programme:
    with world().database.reading() as session:
        programme = programmes.by_name(session, slug)
    if programme is None:
        raise _none()
    return programme


def _none() -> NotFound:
    return NotFound("unknown_picture", "There is no picture at this address.")


def _answer(content: bytes, media_type: str, cache: str) -> Response:
    answer = Response(content, mimetype=media_type)
    answer.headers["Cache-Control"] = cache
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.add_etag()
    return _conditional(answer)


def _conditional(answer: Any) -> Response:
    found: Response = answer.make_conditional(request)
    return found
