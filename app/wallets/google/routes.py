"""Google's callbacks: who saved a card, who removed it."""

import logging

from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import OperationalError

from app.wallets.google import events
from app.wallets.google.root_keys import KeyRing
from app.web import csrf, world
from passes.google import callback
from passes.google.callback import BODY_MAX_BYTES, CallbackEvent, RefusedCallback

log = logging.getLogger(__name__)

blueprint = Blueprint("google", __name__, url_prefix="/google")
csrf.exempt(blueprint)  # Google sends no form token; its signature is what is believed

KEY_RING = "tessera.google_keys"


@blueprint.post("/callback")
def receive() -> Response:
    """200 once stored; 400 for what cannot be believed; 503 for a fault of ours, so that it comes again."""
    if not world().settings.google_ready:
        return Response(status=404)
    body = request.stream.read(BODY_MAX_BYTES + 1)
    try:
        event = _believed(body)
    except RefusedCallback as refusal:
        log.warning("callback refused: %s", refusal.code.value)
        return Response(status=503 if refusal.is_our_fault else 400)
    try:
        world().database.transact(lambda session: events.apply(session, event, now=world().clock()))
    except OperationalError:
        log.exception("a callback could not be stored; Google will send it again")
        return Response(status=503)
    return Response(status=200)


def _believed(body: bytes) -> CallbackEvent:
    """The event, if its chain of signatures holds with the keys we have, or with fresh ones."""
    ring, issuer, now = _ring(), world().settings.google_issuer_id, world().clock()
    try:
        return callback.verify(body, keys=ring.current(), issuer=issuer, now=now)
    except RefusedCallback as refusal:
        keys = ring.renewed() if refusal.may_be_new_keys else None
        if keys is None:
            raise
        return callback.verify(body, keys=keys, issuer=issuer, now=now)


def _ring() -> KeyRing:
    rings: dict[str, object] = current_app.extensions
    ring = rings.setdefault(KEY_RING, KeyRing(world().settings.google_root_keys_url, world().clock))
    assert isinstance(ring, KeyRing)  # noqa: S101  nobody else uses this name
    return ring
