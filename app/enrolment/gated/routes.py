"""What is open to members of a club or a level alone: asked for from the card, opened by a token for a short while."""

import re

from flask import Blueprint, redirect
from werkzeug.wrappers import Response as Answer

from app.cards import service as cards
from app.clubs import gates
from app.errors import NotFound
from app.web import world

blueprint = Blueprint("gated", __name__)

LINK = re.compile(r"[A-Za-z0-9_-]{32}")


@blueprint.get("/c/<link>/club/<benefit>")
def ask(link: str, benefit: str) -> Answer:
    """A fresh token's address, for the holder of the card."""
    now = world().clock()
    with world().database.reading() as db:
        card = cards.by_link(db, link) if LINK.fullmatch(link) else None
        if card is None or card.status == "erased":
            raise NotFound("unknown_card", "There is no card at this address, or it was given up.")
        token = gates.pass_for(db, card, benefit, now=now)
    return _private(redirect(f"/gate/{token}", 302))


@blueprint.get("/gate/<token>")
def opened(token: str) -> Answer:
    """Where the token leads, to whoever has it, for a quarter of an hour."""
    with world().database.reading() as db:
        address = gates.target(db, token, now=world().clock())
    return _private(redirect(address, 302))


def _private(answer: Answer) -> Answer:
    """Both addresses are keys: neither caches nor the shop's site learn them."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer
