"""Which card a phone may see: the one whose token it shows."""

from wsgiref.types import WSGIEnvironment

from sqlalchemy import bindparam

from app.cards.models import Card, Programme
from app.errors import Unauthorised
from app.lookup import Lookup
from app.wallets.view import CardRow, cards_by
from app.world import World
from passes.apple.addresses import PASS_TYPE, SERIAL
from passes.apple.webservice import authentication_token, is_authorized

_BY_SERIAL = Lookup(
    cards_by(Card.serial == bindparam("serial"), Programme.pass_type_identifier == bindparam("pass_type"))
)


def authorised(world: World, environ: WSGIEnvironment, pass_type: str, serial: str) -> tuple[CardRow, str]:
    """The card and its token, if that is shown. Unknown cards and wrong tokens are told alike, in the same time.

    Raises: Unauthorised.
    """
    if not PASS_TYPE.fullmatch(pass_type) or not SERIAL.fullmatch(serial):
        raise unknown()
    # the raw header: Werkzeug's parsed form loses a token with an inner "="
    token = pass_token(world, pass_type, serial)
    shown = is_authorized(environ.get("HTTP_AUTHORIZATION"), [token])
    row = _BY_SERIAL.one(world.database, serial=serial, pass_type=pass_type)
    if not shown or row is None:
        raise unknown()
    return CardRow._make(row), token


def pass_token(world: World, pass_type: str, serial: str) -> str:
    """The secret that a phone shows for this pass; the same for its whole life, and kept nowhere."""
    return authentication_token(pass_type, serial, key=world.vault.pass_token_key)


def unknown() -> Unauthorised:
    """What is said of every pass that is not shown."""
    return Unauthorised("unauthorised", "There is no such pass with this authentication token.")
