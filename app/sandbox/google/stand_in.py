"""The Google Wallet stand-in as tests, phones and the control API use it."""

import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from app.sandbox.authority import Authority
from app.sandbox.google.account import LIST_NAMES, LinkRefused, ServiceAccount
from app.sandbox.google.callbacks import CallbackRecord, Courier, Signer, Tamper
from app.sandbox.google.events import Events, Listener
from app.sandbox.google.faults import Fault
from app.sandbox.google.refusal import Refusal
from app.sandbox.google.wallet import Wallet
from app.sandbox.script import Script
from app.sandbox.state import State

Json = dict[str, Any]
RECORDS = 20_000


@dataclass(frozen=True, kw_only=True)
class GoogleRecord:
    """One request and what became of it. `status` 0: cut off without an answer. `applied`: it was carried out."""

    at: float
    operation: str  # loyaltyObject.patch, loyaltyClass.addMessage, token, …
    method: str
    path: str
    resource_id: str
    body: Any
    status: int
    reason: str
    applied: bool


class GoogleStandIn:
    """Google's memory, its judgement, and its post to the product; `http.py` puts it on the network."""

    def __init__(self, authority: Authority, state: State, issuer_id: str, credentials: Path) -> None:
        self.issuer_id = issuer_id
        self.invited = True  # False: the service account is not a user of the console, every call is 403
        self.rate_per_s: float | None = None  # 20.0 is Google's
        self.batch_weight = "each"  # "one": a batch counts as one call; Google does not say which is true
        self.issuer_callback_url = ""  # where classes without callbackOptions report to
        self.after_save_url = ""  # a link on the page that says the card was saved
        self.events = Events()
        self.account = ServiceAccount(json.loads(credentials.read_text()))
        self.wallet = Wallet(state, self.events, issuer_id, self.now)
        self.signer = Signer(*authority.callback_keys(), issuer_id, time.time)
        self.courier = Courier(self.signer)
        self.faults: Script[Fault] = Script()
        self._offset_s = 0.0
        self._records: deque[GoogleRecord] = deque(maxlen=RECORDS)
        self._arrived = threading.Condition()
        self._images: dict[str, bool] = {}

    # What tests and operators use

    def script(self, *faults: Fault) -> None:
        """Add faults, used up in order; see Fault."""
        self.faults.add(*faults)

    @property
    def requests(self) -> list[GoogleRecord]:
        """The last requests, oldest first."""
        with self._arrived:
            return list(self._records)

    def wait_for(self, fits: Callable[[GoogleRecord], bool], timeout_s: float = 5.0) -> GoogleRecord | None:
        """The first record that fits, waiting for it; None if the time is over."""

        def found() -> GoogleRecord | None:
            return next((record for record in self._records if fits(record)), None)

        with self._arrived:
            return self._arrived.wait_for(found, timeout_s)

    @property
    def objects(self) -> dict[str, Json]:
        """Every stored object by id."""
        return self.wallet.every("loyaltyObject", "offerObject")

    @property
    def classes(self) -> dict[str, Json]:
        return self.wallet.every("loyaltyClass", "offerClass")

    @property
    def callbacks(self) -> list[CallbackRecord]:
        """The last callbacks sent to the product, oldest first."""
        return list(self.courier.sent)

    def advance(self, seconds: float) -> None:
        """Move the clock of the alert budgets and of validity; tokens and signatures stay in real time."""
        self._offset_s += seconds

    def now(self) -> float:
        return time.time() + self._offset_s

    def judge_images(self, on: bool = True) -> None:
        """Fetch each image on this machine when it is named, and refuse the write if that fails, as Google does."""
        self.wallet.check_image = self._image_loads if on else None

    def reset(self) -> None:
        """Forget everything: classes, objects, wallets, budgets, tokens, faults, records."""
        self.faults.clear()
        self.account.revoke_tokens()
        self.wallet.reset()
        self.wallet.legacy_names = False
        self.invited = True
        self.rate_per_s = None
        self.batch_weight = "each"
        self._offset_s = 0.0
        with self._arrived:
            self._records.clear()

    # What phones use

    def get_class(self, class_id: str) -> Mapping[str, Any] | None:
        return self._found(class_id, "Class")

    def get_object(self, object_id: str) -> Mapping[str, Any] | None:
        return self._found(object_id, "Object")

    def subscribe(self, on_event: Listener) -> Callable[[], None]:
        """See Events; returns what ends the subscription."""
        return self.events.subscribe(on_event)

    def save(self, jwt: str, account: str = "phone") -> list[str]:
        """Open a save link (or its JWT) and press the button, as *account*: the ids of the objects in the wallet.

        What the link carries whole and Google does not have is made; what it has stays as it is.
        Raises LinkRefused (a ValueError) with the reason.
        """
        ids = self.open_link(jwt)
        for object_id in ids:
            self._check_person(object_id, account)
        for object_id in ids:
            try:
                new = self.wallet.hold(object_id, account)
            except Refusal as refusal:
                raise LinkRefused(refusal.message) from refusal
            if new:
                self._call_back(object_id, "save")
        return ids

    def open_link(self, jwt: str) -> list[str]:
        """Verify a link and make what it brings; the ids of the objects it would save. Raises LinkRefused."""
        payload = self.account.link_claims(jwt.rsplit("/", 1)[-1].strip())
        try:
            for name, kind in LIST_NAMES.items():
                for resource in payload.get(name, ()):
                    if self.wallet.find(resource["id"]) is None:
                        self._make(kind, resource)
        except Refusal as refusal:
            raise LinkRefused(refusal.message) from refusal
        names = ("loyaltyObjects", "offerObjects")
        ids = [resource["id"] for name in names for resource in payload.get(name, ())]
        for object_id in ids:
            if self.get_object(object_id) is None:
                raise LinkRefused(f"{object_id} is a class, not an object")
        return ids

    def delete(self, object_id: str, account: str = "phone") -> None:
        """Take the object out of the account's wallet, which sends the delete callback."""
        if self.wallet.find(object_id) is not None and self.wallet.release(object_id, account):
            self._call_back(object_id, "del")

    def call_back(self, object_id: str, event_type: str, *, tamper: Tamper, nonce: str | None = None) -> CallbackRecord:
        """Send one callback without anything having happened: forged, damaged, or a duplicate (same *nonce*)."""
        class_id, url = self._callback_address(object_id)
        return self.courier.send(url, class_id, object_id, event_type, tamper=tamper, nonce=nonce)

    # What the network side uses

    def record(self, record: GoogleRecord) -> None:
        with self._arrived:
            self._records.append(record)
            self._arrived.notify_all()

    def _make(self, kind: str, resource: Json) -> None:
        if set(resource) <= {"id", "classId"}:
            raise LinkRefused(f"{resource['id']} does not exist: create it first, or put it whole into the link")
        self.wallet.insert(kind, resource)

    def _found(self, resource_id: str, noun: str) -> Json | None:
        with self.wallet.lock:
            entry = self.wallet.find(resource_id)
            return self.wallet.shown(*entry) if entry and entry[0].endswith(noun) else None

    def _check_person(self, object_id: str, account: str) -> None:
        entry = self.wallet.find(object_id)
        wanted = entry[1].get("saveRestrictions", {}).get("restrictToEmailSha256") if entry else None
        if wanted and wanted != hashlib.sha256(account.encode()).hexdigest():
            raise LinkRefused("This card is reserved for another person")

    def _callback_address(self, object_id: str) -> tuple[str, str]:
        entry = self.wallet.find(object_id)
        class_id = entry[1]["classId"] if entry else f"{self.issuer_id}.unknown"
        class_entry = self.wallet.find(class_id)
        options = class_entry[1].get("callbackOptions", {}) if class_entry else {}
        return class_id, options.get("url") or self.issuer_callback_url

    def _call_back(self, object_id: str, event_type: str) -> None:
        class_id, url = self._callback_address(object_id)
        if url:
            self.courier.send(url, class_id, object_id, event_type)

    def _image_loads(self, address: str) -> bool:
        """Only images on this machine are fetched; the sandbox never calls out."""
        if not address.startswith("http://"):
            return True
        if not self._images.get(address):
            try:
                answer = requests.get(address, timeout=5)
                kind = answer.headers.get("Content-Type", "")
                self._images[address] = answer.ok and kind.startswith("image/") and bool(answer.content)
            except requests.RequestException:
                self._images[address] = False
        return self._images[address]
