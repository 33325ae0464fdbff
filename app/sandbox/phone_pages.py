"""The two phones in the browser: /sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.sandbox.phone_barcode import APPLE_FORMATS, GOOGLE_FORMATS, barcode_png, qr_svg
from app.sandbox.phone_view import first_barcode, state_of
from app.sandbox.phones import APPLE, GOOGLE, Phones

if TYPE_CHECKING:
    from app.sandbox.sandbox import Sandbox

HEARTBEAT_S = 15.0
UPLOAD_BYTES_MAX = 25 * 1024 * 1024
LANGUAGES = {"en": "English", "tr": "Türkçe", "id": "Bahasa Indonesia"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: http: https:; "
    "connect-src 'self'; frame-src http://127.0.0.1:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
Action = Callable[[Phones, dict[str, Any]], None]


def create_pages(sandbox: Sandbox) -> Flask:
    """The pages of the phones at /sandbox; the phones are in `extensions["phones"]`, close them at the end."""
    app = Flask(__name__, static_url_path="/sandbox/static", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = UPLOAD_BYTES_MAX
    phones = Phones(sandbox)
    app.extensions["phones"] = phones
    _add_pages(app, phones)
    _add_pictures(app, phones)
    _add_actions(app, phones)
    app.before_request(_refuse_strangers)
    app.after_request(_protect)
    return app


def _add_pages(app: Flask, phones: Phones) -> None:
    @app.get("/")
    def root() -> AnyResponse:
        return redirect("/sandbox")

    @app.get("/sandbox")
    def page() -> str:
        return render_template("sandbox/phones.html", languages=LANGUAGES, product_url=phones.product_url)

    @app.get("/sandbox/state")
    def state() -> Response:
        return jsonify(state_of(phones))

    @app.get("/sandbox/poster")
    def poster() -> Response:
        return jsonify(path=phones.poster_path())

    @app.get("/sandbox/events")
    def events() -> Response:
        return Response(_events(phones), mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _events(phones: Phones) -> Iterator[str]:
    version = -1
    while not phones.closed:
        fresh = phones.wait_for_change(version, HEARTBEAT_S)
        if fresh == version:
            yield ": still here\n\n"
            continue
        version = fresh
        yield f"data: {json.dumps(state_of(phones), ensure_ascii=False)}\n\n"


def _add_pictures(app: Flask, phones: Phones) -> None:
    @app.get("/sandbox/images/<serial>/<slot>/<digest>.png")
    def image(serial: str, slot: str, digest: str) -> Response:
        del digest  # makes the address change with the picture
        with phones.apple.changed:
            card = phones.apple.device.by_serial(serial)
            found = card.apple_pass.image(slot, phones.apple.device.language) if card else None
        return _picture(found[1]) if found else abort(404)

    @app.get("/sandbox/barcodes/<phone>/<card_id>.<any(png, svg):kind>")
    def barcode(phone: str, card_id: str, kind: str) -> Response:
        found = _barcode_of(phones, phone, card_id)
        if found is None or (kind == "svg" and found[0] != "QRCode"):
            abort(404)
        try:
            content = barcode_png(*found) if kind == "png" else qr_svg(*found[1:])
        except (ValueError, LookupError) as error:
            abort(422, f"The message cannot be drawn: {error}.")
        return _picture(content, "image/png" if kind == "png" else "image/svg+xml")


def _barcode_of(phones: Phones, phone: str, card_id: str) -> tuple[str, str, str] | None:
    if phone == APPLE:
        with phones.apple.changed:
            card = phones.apple.device.by_serial(card_id)
            barcode = first_barcode(card.apple_pass.content) if card else None
        return (APPLE_FORMATS[barcode["format"]], barcode["message"], barcode["messageEncoding"]) if barcode else None
    view = phones.google.card(card_id) if phone == GOOGLE else None
    drawn = view["barcode"] if view else None
    if drawn is None or drawn["type"] not in GOOGLE_FORMATS:
        return None
    return GOOGLE_FORMATS[drawn["type"]], drawn["value"], "utf-8"


def _picture(content: bytes, mimetype: str = "image/png") -> Response:
    return Response(content, mimetype=mimetype, headers={"Cache-Control": "private, max-age=3600"})


def _add_actions(app: Flask, phones: Phones) -> None:
    @app.post("/sandbox/phones/<phone>/<action>")
    def act(phone: str, action: str) -> Response:
        doing = ACTIONS.get((phone, action))
        values = request.get_json()
        if doing is None or not isinstance(values, dict):
            abort(404)
        doing(phones, values)
        return jsonify(state_of(phones))

    @app.post("/sandbox/passes")
    def add_pass() -> tuple[Response, int]:
        verdict = phones.apple.add(request.get_data())
        findings = [{"code": item.code, "text": item.text, "fatal": item.fatal} for item in verdict.findings]
        return jsonify(accepted=verdict.accepted, findings=findings), 200 if verdict.accepted else 422


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else abort(422, f"{name} must be a text.")


def _switch(values: dict[str, Any]) -> bool:
    value = values.get("on")
    return value if isinstance(value, bool) else abort(422, "on must be true or false.")


def _language(values: dict[str, Any]) -> str:
    language = _text(values, "language")
    return language if language in LANGUAGES else abort(422, f"language must be one of {', '.join(LANGUAGES)}.")


ACTIONS: dict[tuple[str, str], Action] = {
    (APPLE, "airplane"): lambda phones, values: phones.apple.set_airplane_mode(_switch(values)),
    (APPLE, "updates"): lambda phones, values: phones.apple.set_automatic_updates(_text(values, "id"), _switch(values)),
    (APPLE, "delete"): lambda phones, values: phones.apple.delete(_text(values, "id")),
    (APPLE, "refresh"): lambda phones, values: phones.apple.pull_to_refresh(_text(values, "id")),
    (APPLE, "language"): lambda phones, values: phones.apple.set_language(_language(values)),
    (APPLE, "token"): lambda phones, _: phones.apple.change_push_token(),
    (GOOGLE, "airplane"): lambda phones, values: phones.google.set_airplane_mode(_switch(values)),
    (GOOGLE, "delete"): lambda phones, values: phones.google.delete(_text(values, "id")),
    (GOOGLE, "language"): lambda phones, values: phones.google.set_language(_language(values)),
}


def _refuse_strangers() -> Response | None:
    """Other sites' pages may neither read nor press here: loopback names only, writes from this page only."""
    name = request.host.rpartition(":")[0] or request.host
    if name not in ("127.0.0.1", "localhost", "[::1]"):
        return Response("This address belongs to the machine of the sandbox alone.", 421)
    if (
        request.method == "POST"
        and request.headers.get("Origin", request.host_url.rstrip("/")) != request.host_url[:-1]
    ):
        return Response("Only the sandbox's own page may do this.", 403)
    return None


def _protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
