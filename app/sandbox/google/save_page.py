"""The page behind a save link: what Google shows a person before the card is in the wallet."""

from typing import Any
from urllib.parse import parse_qs

from markupsafe import Markup
from werkzeug.wrappers import Request, Response

from app.sandbox.google.account import LinkRefused
from app.sandbox.google.stand_in import GoogleStandIn

STYLE_PATH = "/gp/static/save.css"
MAX_ACCOUNT_CHARACTERS = 200
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText; }
main { width: min(24rem, 100% - 2rem); text-align: center; }
.card { border-radius: 1rem; padding: 1.5rem; margin: 1.5rem 0; color: #fff; background: #1f2937; text-align: left; }
.card b { display: block; font-size: 1.25rem; overflow-wrap: anywhere; }
button { font: inherit; font-weight: 600; border: 0; border-radius: 2rem; padding: .8rem 2rem; min-height: 3rem;
  background: #111; color: #fff; cursor: pointer; }
button:focus-visible, a:focus-visible { outline: 3px solid #3b82f6; outline-offset: 3px; }
@media (prefers-color-scheme: dark) { button { background: #f5f5f5; color: #111; } }
"""
PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
    '<link rel="stylesheet" href="{style}"></head><body><main><h1>{title}</h1>{content}</main></body></html>'
)
CARD = Markup('<div class="card">{issuer}<b>{title}</b>{account}</div>')
FORM = Markup(
    '<form method="post"><input type="hidden" name="account" value="{account}">'
    '<button type="submit">Add to Google Wallet</button></form>'
    "<p>This is a sandbox: the card goes to the simulated phone.</p>"
)


def answer(google: GoogleStandIn, request: Request, data: bytes) -> Response:
    """GET shows the cards and the button; POST (form field `account`, default "phone") saves them."""
    if request.path == STYLE_PATH:
        return Response(STYLE, content_type="text/css; charset=utf-8")
    if request.method not in ("GET", "HEAD", "POST"):
        return Response("", 405)
    token = request.path.rsplit("/", 1)[-1]
    try:
        if request.method == "POST":
            form = parse_qs(data.decode("utf-8", "replace"))
            account = form.get("account", ["phone"])[0][:MAX_ACCOUNT_CHARACTERS]
            return _saved(google, google.save(token, account))
        cards = Markup("").join(_card(google.get_object(object_id) or {}) for object_id in google.open_link(token))
    except LinkRefused as refused:
        reason = Markup("<p>Google would say no more. The sandbox says why:</p><p><strong>{}</strong></p>")
        return _page("Something went wrong", reason.format(refused), 400)
    account = request.args.get("account", "phone")[:MAX_ACCOUNT_CHARACTERS]
    return _page("Add to Google Wallet", cards + FORM.format(account=account))


def _saved(google: GoogleStandIn, ids: list[str]) -> Response:
    cards = Markup("").join(_card(google.get_object(object_id) or {}) for object_id in ids)
    back = Markup('<p><a href="{}">See the phone</a></p>').format(google.after_save_url)
    return _page("Added to Google Wallet", cards + (back if google.after_save_url else Markup("")))


def _card(shown: Any) -> Markup:
    its_class = shown.get("classReference", {})
    return CARD.format(
        issuer=its_class.get("issuerName", ""),
        title=its_class.get("programName") or its_class.get("title", ""),
        account=shown.get("accountName", ""),
    )


def _page(title: str, content: Markup, status: int = 200) -> Response:
    response = Response(
        PAGE.format(title=title, content=content, style=STYLE_PATH), status, content_type="text/html; charset=utf-8"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "frame-ancestors http://127.0.0.1:* http://localhost:*"  # the phones' page shows it in a frame
    )
    return response
