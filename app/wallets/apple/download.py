"""The answer that carries a .pkpass."""

from datetime import datetime
from wsgiref.types import WSGIEnvironment

from flask import Response
from werkzeug.datastructures import Headers

from app.wallets.apple.add import SignedPass, signed_pass
from app.world import World
from passes.apple.bundle import MEDIA_TYPE
from passes.apple.webservice import last_modified


def pass_response(world: World, card_id: int, *, name: str = "card") -> Response:
    """The card's pass for the customer's page, as a download that iPhones open in Wallet.

    Raises: as `add.signed_pass`.
    """
    return answer(signed_pass(world, card_id), f"{name}.pkpass")


def answer(signed: SignedPass, file_name: str) -> Response:
    """A pass with the headers that Safari and phones need; no proxy may keep it, because it holds the card's secret.

    `Last-Modified` is when the card changed, never now: a change between drawing and answering would be hidden.
    """
    response = Response(signed.content, mimetype=MEDIA_TYPE)
    response.headers["Last-Modified"] = last_modified(signed.modified_at)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def unmodified(modified_at: datetime) -> Response:
    """304 for the version that changed at that moment."""
    response = _Unmodified(status=304)
    response.headers["Last-Modified"] = last_modified(modified_at)
    return response


class _Unmodified(Response):
    """Werkzeug strips `Last-Modified` from a 304; phones read it there too."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        headers = super().get_wsgi_headers(environ)
        headers["Last-Modified"] = self.headers["Last-Modified"]
        return headers
