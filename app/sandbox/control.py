"""The control API: scripts, records and the long polls of phones in other processes. JSON over HTTP on the loopback.

    GET    /                              every address of the sandbox
    GET    /apns/wait?token=&timeout=     be the phone with that token: {"topics": [...]}; kept pushes come first
    POST   /apns/tokens {"token"}         make a token known          DELETE /apns/tokens?token=   retire it (410)
    GET    /apns/requests?after=N         records from number N on    GET    /apns/faults          faults not used up
    POST   /apns/faults [{...}]           fields of app.sandbox.apns.faults.Fault, `kind` by its value
    POST   /apns/streams {"limit", "at_first"?}   SETTINGS_MAX_CONCURRENT_STREAMS
    POST   /apns/unknown {"answer": "refuse" | "accept" | "gone"}
    POST   /apns/cut                      cut every connection        POST   /apns/reset
    GET    /google/events?after=N&timeout=  what phones hear, as app.sandbox.google.events says, and "last"
    GET    /google/requests?after=N       GET /google/objects         GET /google/classes
    GET    /google/faults                 POST /google/faults [{...}] fields of app.sandbox.google.faults.Fault
    POST   /google/settings {"rate_per_s"?, "invited"?, "legacy_names"?, "judge_images"?,
                                   "batch_weight"?}
    POST   /google/advance {"seconds"}    POST /google/revoke-tokens  POST /google/reset
    POST   /google/save {"jwt", "account"?}   {"object_ids"}          POST /google/delete {"object_id", "account"?}
    GET    /google/callbacks              POST /google/callbacks {"object_id", "event", "tamper"?, "nonce"?}
    POST   /identities {"pass_type", "team"?}  {"folder"}             POST /push-keys {"team"}  {"file"}

A wrong body is 400 {"error": what is wrong}.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from app.sandbox.apns.faults import Fault as ApnsFault
from app.sandbox.apns.faults import FaultKind
from app.sandbox.apns.rules import UnknownToken
from app.sandbox.apns.server import ApnsStandIn
from app.sandbox.google.callbacks import Tamper
from app.sandbox.google.faults import Fault as GoogleFault
from app.sandbox.google.stand_in import GoogleStandIn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_WAIT_S = 60.0
MAX_BODY_BYTES = 1024 * 1024

Action = Callable[[Request, Any], Any]


class Controlled(Protocol):
    """What this needs of the sandbox it controls."""

    apns: ApnsStandIn
    google: GoogleStandIn

    def addresses(self) -> dict[str, Any]: ...

    def issue_pass_identity(self, pass_type: str, team: str = ..., **options: Any) -> Path: ...

    def issue_push_key(self, team: str) -> Path: ...


class Control:
    """A WSGI application over a running sandbox."""

    def __init__(self, sandbox: Controlled) -> None:
        self._sandbox = sandbox
        self._actions: dict[str, Action] = {
            "GET /": lambda _request, _body: sandbox.addresses(),
            "POST /identities": self._issue_identity,
            "POST /push-keys": lambda _request, body: {"file": str(sandbox.issue_push_key(body["team"]))},
            **self._apns_actions(),
            **self._google_actions(),
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        status, answer = self._answer(request)
        text = json.dumps(answer, default=_plain, ensure_ascii=False)
        return Response(text, status, content_type="application/json")(environ, start_response)

    def _answer(self, request: Request) -> tuple[int, Any]:
        try:
            data = request.get_data()
            action = self._actions.get(f"{request.method} {request.path}")
            if action is None:
                return 404, {"error": f"there is no {request.method} {request.path}"}
            return 200, action(request, json.loads(data) if data else {}) or {}
        except RequestEntityTooLarge:
            return 413, {"error": "the body is too large"}
        except KeyError as error:
            return 400, {"error": f"{error.args[0]} is missing"}
        except (ValueError, TypeError, AttributeError) as error:
            return 400, {"error": str(error)}

    def _issue_identity(self, _request: Request, body: Any) -> Any:
        folder = self._sandbox.issue_pass_identity(body["pass_type"], body.get("team", "TEAM123456"))
        return {"folder": str(folder)}

    def _apns_actions(self) -> dict[str, Action]:
        apns = self._sandbox.apns
        return {
            "GET /apns/wait": lambda request, _: {
                "topics": apns.hub.wait(request.args["token"], _timeout_s(request)),
            },
            "POST /apns/tokens": lambda _, body: apns.hub.register(body["token"]),
            "DELETE /apns/tokens": lambda request, _: apns.hub.unsubscribe(request.args["token"]),
            "GET /apns/requests": lambda request, _: _page(apns.requests, request),
            "GET /apns/faults": lambda *_: {"faults": apns.scripted},
            "POST /apns/faults": lambda _, body: apns.script(*_faults(ApnsFault, body)),
            "POST /apns/streams": lambda _, body: apns.limit_streams(
                int(body["limit"]), at_first=None if body.get("at_first") is None else int(body["at_first"])
            ),
            "POST /apns/unknown": lambda _, body: setattr(apns, "unknown_token", UnknownToken(body["answer"])),
            "POST /apns/cut": lambda *_: apns.cut_connections(),
            "POST /apns/reset": lambda *_: apns.reset(),
        }

    def _google_actions(self) -> dict[str, Action]:
        google = self._sandbox.google
        return {
            "GET /google/events": self._events,
            "GET /google/requests": lambda request, _: _page(google.requests, request),
            "GET /google/objects": lambda *_: google.objects,
            "GET /google/classes": lambda *_: google.classes,
            "GET /google/faults": lambda *_: {"faults": google.faults.pending},
            "POST /google/faults": lambda _, body: google.script(*_faults(GoogleFault, body)),
            "POST /google/settings": self._google_settings,
            "POST /google/advance": lambda _, body: google.advance(float(body["seconds"])),
            "POST /google/revoke-tokens": lambda *_: google.account.revoke_tokens(),
            "POST /google/reset": lambda *_: google.reset(),
            "POST /google/save": lambda _, body: {
                "object_ids": google.save(body["jwt"], body.get("account", "phone")),
            },
            "POST /google/delete": lambda _, body: google.delete(body["object_id"], body.get("account", "phone")),
            "GET /google/callbacks": lambda *_: {"callbacks": google.callbacks},
            "POST /google/callbacks": self._call_back,
        }

    def _events(self, request: Request, _body: Any) -> Any:
        events = self._sandbox.google.events
        found = events.wait(int(request.args.get("after", "0")), _timeout_s(request))
        return {"events": found, "last": events.last}

    def _google_settings(self, _request: Request, body: Any) -> None:
        google = self._sandbox.google
        unknown = set(body) - {"rate_per_s", "invited", "legacy_names", "judge_images", "batch_weight"}
        if unknown:
            raise ValueError(f"there is no setting {sorted(unknown)[0]}")
        if "rate_per_s" in body:
            google.rate_per_s = None if body["rate_per_s"] is None else float(body["rate_per_s"])
        if body.get("batch_weight", "each") not in {"each", "one"}:
            raise ValueError("batch_weight is each or one")
        google.batch_weight = str(body.get("batch_weight", google.batch_weight))
        google.invited = bool(body.get("invited", google.invited))
        google.wallet.legacy_names = bool(body.get("legacy_names", google.wallet.legacy_names))
        if "judge_images" in body:
            google.judge_images(bool(body["judge_images"]))

    def _call_back(self, _request: Request, body: Any) -> Any:
        tamper = Tamper(body.get("tamper", "nothing"))
        google = self._sandbox.google
        record = google.call_back(body["object_id"], body["event"], tamper=tamper, nonce=body.get("nonce"))
        return google.courier.wait_for(record)


def _faults(kind: type[Any], body: Any) -> list[Any]:
    entries = body if isinstance(body, list) else [body]
    names = {field.name for field in fields(kind)}
    made = []
    for entry in entries:
        if unknown := set(entry) - names:
            raise ValueError(f"a fault has no {sorted(unknown)[0]}: {', '.join(sorted(names))}")
        if "kind" in entry:
            entry["kind"] = FaultKind(entry["kind"])
        made.append(kind(**entry))
    return made


def _page(records: list[Any], request: Request) -> Any:
    after = int(request.args.get("after", "0"))
    return {"requests": records[after:], "count": len(records)}


def _timeout_s(request: Request) -> float:
    return min(MAX_WAIT_S, max(0.0, float(request.args.get("timeout", "25"))))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Enum):
        return value.value
    return asdict(value)
