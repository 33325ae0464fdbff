"""The classes and objects that Google stores, and the wallets that hold them."""

import copy
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from app.sandbox.google import schema
from app.sandbox.google.budgets import Budgets
from app.sandbox.google.events import Events
from app.sandbox.google.refusal import Refusal, invalid
from app.sandbox.state import State

Json = dict[str, Any]

SCHEMA_OF = {
    "loyaltyClass": "LoyaltyClass",
    "loyaltyObject": "LoyaltyObject",
    "offerClass": "OfferClass",
    "offerObject": "OfferObject",
}
CLASS_OF = {"loyaltyObject": "loyaltyClass", "offerObject": "offerClass"}
NOTIFYING: dict[str, list[tuple[str, ...]]] = {
    "loyaltyClass": [("rewardsTier",), ("secondaryRewardsTier",), ("programName",)],
    "loyaltyObject": [("loyaltyPoints", "balance"), ("secondaryLoyaltyPoints", "balance")],
    "offerClass": [],
    "offerObject": [],
}
MAX_MESSAGES = 10
LEGACY = {"APPROVED": "approved", "ACTIVE": "active", "QR_CODE": "qrCode", "CODE_128": "code128", "PDF_417": "pdf417"}


class Wallet:
    """Strict where Google is or may be. Everything is written through; every change is an event."""

    def __init__(self, state: State, events: Events, issuer_id: str, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self.issuer_id = issuer_id
        self.events = events
        self.legacy_names = False  # answer `approved`, `active`, `qrCode`, as live answers have done
        self.check_image: Callable[[str], bool] | None = None  # False: "cannot be fetched"
        self.budgets = Budgets(state, clock)
        self._clock = clock
        self._state = state
        self._stored: dict[str, tuple[str, Json]] = {
            resource_id: (entry["kind"], entry["body"]) for resource_id, entry in state.load("resource").items()
        }
        self._holders: dict[str, list[str]] = state.load("holders")

    # The API's verbs

    def insert(self, kind: str, body: Json) -> Json:
        with self.lock:
            resource_id = body.get("id")
            if not isinstance(resource_id, str) or not schema.is_id(resource_id):
                raise invalid(f"Invalid resource ID: {str(resource_id)[:100]}. It must be <issuer id>.<suffix>")
            self._check_issuer(resource_id)
            whole = self._checked(kind, _without_nulls(body), body)
            if resource_id in self._stored:
                raise Refusal(409, "alreadyExists", f"A resource with id {resource_id} already exists.")
            return self._write("inserted", kind, whole, None, notify=False)

    def get(self, kind: str, resource_id: str) -> Json:
        with self.lock:
            return self.shown(kind, self._body(kind, resource_id))

    def page(self, kind: str, parent: str, max_results: int | None, token: str) -> Json:
        """All of *parent* (issuer for classes, class for objects), or a page of them and the token of the next."""
        with self.lock:
            if kind in CLASS_OF:
                self._check_issuer(parent)
                self._body(CLASS_OF[kind], parent)
            elif parent != self.issuer_id:
                raise self._denied(parent)
            every = sorted(
                resource_id
                for resource_id, (its_kind, body) in self._stored.items()
                if its_kind == kind and body.get("classId", self.issuer_id) == parent and resource_id > token
            )
            page = every[:max_results]
            answer: Json = {"resources": [self.shown(kind, self._stored[resource_id][1]) for resource_id in page]}
            answer["pagination"] = {"resultsPerPage": len(page)}
            if len(page) < len(every):
                answer["pagination"]["nextPageToken"] = page[-1]
            return answer

    def patch(self, kind: str, resource_id: str, body: Json) -> Json:
        with self.lock:
            old = self._body(kind, resource_id)
            if body.get("id", resource_id) != resource_id:
                raise invalid("The id of a resource cannot change")
            whole = self._checked(kind, merged(old, body), body, old)
            return self._write("patched", kind, whole, old, notify=body.get("notifyPreference") == "NOTIFY_ON_UPDATE")

    def update(self, kind: str, resource_id: str, body: Json) -> Json:
        with self.lock:
            old = self._body(kind, resource_id)
            if body.get("id", resource_id) != resource_id:
                raise invalid("The id of a resource cannot change")
            whole = self._checked(kind, {**_without_nulls(body), "id": resource_id}, body, old)
            return self._write("updated", kind, whole, old, notify=body.get("notifyPreference") == "NOTIFY_ON_UPDATE")

    def add_message(self, kind: str, resource_id: str, body: Json) -> Json:
        with self.lock:
            old = self._body(kind, resource_id)
            _refuse_first(schema.structure_problems("AddMessageRequest", body))
            message = body.get("message")
            if not isinstance(message, dict) or not (message.get("body") or message.get("localizedBody")):
                raise invalid("Missing required field 'message.body'")
            _refuse_first(schema.content_problems("Message", message, "message"))
            if len(old.get("messages", ())) >= MAX_MESSAGES:
                raise invalid(f"{resource_id} already has {MAX_MESSAGES} messages")
            notify = message.get("messageType") == "TEXT_AND_NOTIFY"
            if notify:
                self._spend("message", kind, resource_id, "when adding TEXT_AND_NOTIFY message to")
            whole = {**old, "messages": [*old.get("messages", ()), {"messageType": "TEXT", **message}]}
            self._store(kind, whole)
            self._tell("message", kind, whole, notify=notify, message=message)
            return {"resource": self.shown(kind, whole)}

    # The wallets

    def hold(self, object_id: str, account: str) -> bool:
        """Put the object into the account's wallet; False if it was there. Refusal where another's hold forbids."""
        with self.lock:
            kind, body = self._stored[object_id]
            holders = self._holders.setdefault(object_id, [])
            if account in holders:
                return False
            sharing = self._stored[body["classId"]][1].get("multipleDevicesAndHoldersAllowedStatus", "MULTIPLE_HOLDERS")
            if holders and sharing != "MULTIPLE_HOLDERS":
                raise invalid("This card is already in another person's wallet")
            holders.append(account)
            self._state.put("holders", object_id, holders)
            self._tell("saved", kind, body, accounts=[account])
            return True

    def release(self, object_id: str, account: str) -> bool:
        """Take the object out of the account's wallet; False if it was not there."""
        with self.lock:
            holders = self._holders.get(object_id, [])
            if account not in holders:
                return False
            holders.remove(account)
            self._state.put("holders", object_id, holders)
            self._tell("deleted", *self._stored[object_id], accounts=[account])
            return True

    def holders(self, object_id: str) -> tuple[str, ...]:
        with self.lock:
            return tuple(self._holders.get(object_id, ()))

    def held_by(self, account: str) -> tuple[str, ...]:
        with self.lock:
            return tuple(object_id for object_id, accounts in self._holders.items() if account in accounts)

    def find(self, resource_id: str) -> tuple[str, Json] | None:
        """Kind and stored body of any class or object."""
        with self.lock:
            entry = self._stored.get(resource_id)
            return (entry[0], copy.deepcopy(entry[1])) if entry else None

    def every(self, *kinds: str) -> dict[str, Json]:
        with self.lock:
            return {key: copy.deepcopy(body) for key, (kind, body) in self._stored.items() if kind in kinds}

    def shown(self, kind: str, body: Json) -> Json:
        """A resource as the API answers it."""
        answer = copy.deepcopy(body)
        answer["kind"] = f"walletobjects#{kind}"
        if kind in CLASS_OF:
            answer["hasUsers"] = bool(self._holders.get(body["id"]))
            answer["hasLinkedDevice"] = answer["hasUsers"]
            answer["classReference"] = self.shown(CLASS_OF[kind], self._stored[body["classId"]][1])
            if body["state"] == "ACTIVE" and self._has_ended(body):
                answer["state"] = "EXPIRED"
        return _renamed(answer) if self.legacy_names else answer

    def reset(self) -> None:
        with self.lock:
            self._stored.clear()
            self._holders.clear()
            self.budgets.reset()
            for room in ("resource", "holders"):
                self._state.clear(room)

    # Its judgement

    def _checked(self, kind: str, whole: Json, body: Json, old: Json | None = None) -> Json:
        """The resource to store, without what is never stored. *whole* is what the write would lead to."""
        name = SCHEMA_OF[kind]
        _refuse_first(schema.structure_problems(name, body))
        whole.pop("notifyPreference", None)
        _refuse_first(schema.content_problems(name, whole))
        if kind in CLASS_OF:
            self._check_references(kind, whole, old)
        else:
            whole["reviewStatus"] = _review_status(body, old)
        if self.check_image is not None:
            for address in _image_addresses(body):
                if not self.check_image(address):
                    raise invalid(f"Image cannot be loaded. {address}")
        return whole

    def _check_references(self, kind: str, whole: Json, old: Json | None) -> None:
        class_id = whole["classId"]
        self._check_issuer(class_id)
        entry = self._stored.get(class_id)
        if entry is None or entry[0] != CLASS_OF[kind]:
            raise Refusal(404, "classNotFound", f"Wallet Object Class {class_id} not found.")
        if entry[1]["reviewStatus"] != "APPROVED":
            raise invalid(f"Class {class_id} is a draft: it cannot have objects")
        offers: list[str] = whole.get("linkedOfferIds") or []
        for linked in offers:
            if self._kind_of(linked) != "offerObject":
                raise invalid(f"Linked offer {linked} does not exist")
        links: list[str] = whole.get("linkedObjectIds") or []
        for linked in links:
            if linked == whole["id"] or self._kind_of(linked) not in CLASS_OF:
                raise invalid(f"Linked object {linked} does not exist, or is the object itself")
        kept: list[str] = old.get("linkedObjectIds") or [] if old else []
        if set(kept) - set(links):
            raise invalid("An entry of linkedObjectIds cannot be removed")

    def _kind_of(self, resource_id: str) -> str:
        entry = self._stored.get(resource_id)
        return entry[0] if entry else ""

    def _check_issuer(self, resource_id: str) -> None:
        if resource_id.partition(".")[0] != self.issuer_id:
            raise self._denied(resource_id.partition(".")[0])

    def _denied(self, issuer: str) -> Refusal:
        return Refusal(403, "permissionDenied", f"The caller has no permission for issuer {issuer[:40]}.")

    def _body(self, kind: str, resource_id: str) -> Json:
        if not schema.is_id(resource_id):
            raise invalid(f"Invalid resource ID: {resource_id[:100]}")
        self._check_issuer(resource_id)
        entry = self._stored.get(resource_id)
        if entry is None or entry[0] != kind:
            noun = "Wallet Object" if kind in CLASS_OF else "Wallet Object Class"
            raise Refusal(404, "resourceNotFound", f"{noun} {resource_id} not found.")
        return entry[1]

    def _write(self, verb: str, kind: str, whole: Json, old: Json | None, *, notify: bool) -> Json:
        buzz = notify and old is not None and any(_at(old, path) != _at(whole, path) for path in NOTIFYING[kind])
        if buzz:
            self._spend("field-update", kind, whole["id"], "when notifying of an update to")
        self._store(kind, whole)
        self._tell(verb, kind, whole, notify=buzz)
        return self.shown(kind, whole)

    def _spend(self, budget: str, kind: str, resource_id: str, doing: str) -> None:
        if self.budgets.left(budget, resource_id) <= 0:
            noun = "object" if kind in CLASS_OF else "class"
            text = f"Quota exceeded for issuer {self.issuer_id} {doing} {noun} {resource_id}."
            raise Refusal(403, "quotaExceeded", text)
        self.budgets.spend(budget, resource_id)

    def _store(self, kind: str, whole: Json) -> None:
        self._stored[whole["id"]] = (kind, whole)
        self._state.put("resource", whole["id"], {"kind": kind, "body": whole})

    def _tell(
        self,
        verb: str,
        kind: str,
        body: Json,
        *,
        accounts: Any = None,
        notify: bool = False,
        message: Json | None = None,
    ) -> None:
        is_object = kind in CLASS_OF
        class_body = self._stored[body["classId"]][1] if is_object else body
        if accounts is None:
            accounts = self.holders(body["id"]) if is_object else self._holders_of_class(body["id"])
        event: Json = {"kind": verb, "resource_type": kind, "accounts": list(accounts)}
        event["object_id" if is_object else "class_id"] = body["id"]
        if message is not None:
            event["message"] = message
        if notify and accounts:
            news = "You have a new message" if verb == "message" else "Your pass was updated"
            event |= {"notify": True, "header": class_body.get("programName") or class_body["issuerName"], "body": news}
        self.events.emit(event)

    def _holders_of_class(self, class_id: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for object_id, accounts in self._holders.items():
            if self._stored[object_id][1].get("classId") == class_id:
                found.update(dict.fromkeys(accounts))
        return tuple(found)

    def _has_ended(self, body: Json) -> bool:
        date = _at(body, ("validTimeInterval", "end", "date"))
        if not isinstance(date, str):
            return False
        end = datetime.fromisoformat(date)
        return (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() < self._clock()


def merged(old: Json, patch: Json) -> Json:
    """PATCH: null clears, arrays are replaced whole, objects merge field by field."""
    result = copy.deepcopy(old)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = _without_nulls(value) if isinstance(value, dict) else copy.deepcopy(value)
    return result


def _without_nulls(body: Json) -> Json:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else copy.deepcopy(value)
        for name, value in body.items()
        if value is not None
    }


def _review_status(body: Json, old: Json | None) -> str:
    """Every write of a class carries it; UNDER_REVIEW is approved at once; there is no way back to DRAFT."""
    status = body.get("reviewStatus")
    if status == "UNDER_REVIEW":
        return "APPROVED"
    if status == "DRAFT" and (old is None or old["reviewStatus"] == "DRAFT"):
        return "DRAFT"
    raise invalid(f"Invalid review status {status}. It must be UNDER_REVIEW (or DRAFT, before the first review)")


def _refuse_first(problems: Iterable[str]) -> None:
    for problem in problems:
        raise invalid(problem)


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _image_addresses(value: Any) -> list[str]:
    if isinstance(value, list):
        return [address for item in value for address in _image_addresses(item)]
    if not isinstance(value, dict):
        return []
    source = value.get("sourceUri")
    own = [source["uri"]] if isinstance(source, dict) and "uri" in source else []
    return own + [address for item in value.values() for address in _image_addresses(item)]


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: LEGACY.get(item, item) if name in ("type", "state", "reviewStatus") else _renamed(item)
            for name, item in value.items()
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value
