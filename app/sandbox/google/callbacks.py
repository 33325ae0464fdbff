"""Signs and sends the save and delete callbacks (ECv2SigningOnly), and repeats them while the product is away."""

import base64
import json
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PROTOCOL = "ECv2SigningOnly"
SENDER = "GooglePayPasses"
LIFE_S = 8 * 24 * 3600.0
RETRY_DELAYS_S = (0.2, 0.4, 0.8, 1.6, 3.0, 5.0, 5.0, 5.0, 10.0, 10.0, 30.0, 30.0)
ANSWER_TIMEOUT_S = 10


class Tamper(Enum):
    """Ways in which a forged or damaged callback may differ from a genuine one."""

    NOTHING = "nothing"
    SIGNATURE = "signature"
    MESSAGE = "message"  # one character changed after signing
    EXPIRED_MESSAGE = "expired_message"
    EXPIRED_KEY = "expired_key"
    OTHER_ISSUER = "other_issuer"
    OTHER_SENDER = "other_sender"
    OTHER_ROOT = "other_root"
    BIG_ENDIAN = "big_endian"
    RESERIALISED_KEY = "reserialised_key"


@dataclass(kw_only=True)
class CallbackRecord:
    """A callback to the product; `status` is that of the last answer, 0 if there was none."""

    url: str
    class_id: str
    object_id: str
    event_type: str
    body: bytes
    attempts: int = 0
    status: int = 0
    done: bool = False
    due_at: float = 0.0


@dataclass(frozen=True)
class Signer:
    root: ec.EllipticCurvePrivateKey
    intermediate: ec.EllipticCurvePrivateKey
    issuer_id: str
    clock: Callable[[], float]

    def root_keys(self) -> dict[str, Any]:
        """What Google's key address answers: our root among those of other protocols, which must be ignored."""
        expires = str(int((self.clock() + 365 * 24 * 3600) * 1000))
        stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
        return {
            "keys": [
                {"keyValue": _spki(stranger), "protocolVersion": "ECv1"},
                {"keyValue": _spki(self.root.public_key()), "protocolVersion": PROTOCOL, "keyExpiration": expires},
            ]
        }

    def body(self, class_id: str, object_id: str, event_type: str, nonce: str, tamper: Tamper) -> bytes:
        now_ms = int(self.clock() * 1000)
        life_ms = int(LIFE_S * 1000)
        message = json.dumps(
            {
                "classId": class_id,
                "objectId": object_id,
                "eventType": event_type,
                "expTimeMillis": now_ms + (-1000 if tamper is Tamper.EXPIRED_MESSAGE else life_ms),
                "count": 1,
                "nonce": nonce,
            },
            separators=(",", ":"),
            ensure_ascii=False,
        )
        expiry = now_ms + (-1000 if tamper is Tamper.EXPIRED_KEY else life_ms)
        # Google escapes the padding of the key inside the string: verifiers must take the characters as they are.
        key = _spki(self.intermediate.public_key()).replace("=", "\\u003d")
        signed_key = f'{{"keyValue":"{key}","keyExpiration":"{expiry}"}}'
        order = "big" if tamper is Tamper.BIG_ENDIAN else "little"
        sender = "GooglePayPassess" if tamper is Tamper.OTHER_SENDER else SENDER
        issuer = "3388000000099999999" if tamper is Tamper.OTHER_ISSUER else self.issuer_id
        root = ec.generate_private_key(ec.SECP256R1()) if tamper is Tamper.OTHER_ROOT else self.root
        key_signature = _sign(root, (sender, PROTOCOL, signed_key), order)
        signature = _sign(self.intermediate, (sender, issuer, PROTOCOL, message), order)
        if tamper is Tamper.SIGNATURE:
            signature = _sign(self.root, (sender, issuer, PROTOCOL, message), order)
        if tamper is Tamper.MESSAGE:
            message = message.replace('"count":1', '"count":2')
        if tamper is Tamper.RESERIALISED_KEY:
            signed_key = json.dumps(json.loads(signed_key), separators=(",", ":"))
        outer = {
            "protocolVersion": PROTOCOL,
            "signature": signature,
            "intermediateSigningKey": {"signedKey": signed_key, "signatures": [key_signature]},
            "signedMessage": message,
        }
        return json.dumps(outer).encode()


@dataclass
class Courier:
    """Sends callbacks from its own thread, one after the other; repeats on 5xx and on silence, not on 4xx."""

    signer: Signer
    retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S
    sent: deque[CallbackRecord] = field(default_factory=lambda: deque(maxlen=5000))
    _waiting: "queue.PriorityQueue[tuple[float, int, CallbackRecord | None]]" = field(
        default_factory=queue.PriorityQueue
    )
    _number: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="google-callbacks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._queue(0.0, None)
        if self._thread is not None:
            self._thread.join(timeout=ANSWER_TIMEOUT_S)

    def send(
        self,
        url: str,
        class_id: str,
        object_id: str,
        event_type: str,
        *,
        tamper: Tamper = Tamper.NOTHING,
        nonce: str | None = None,
    ) -> CallbackRecord:
        """Queue one callback; the same *nonce* again is a genuine duplicate."""
        body = self.signer.body(class_id, object_id, event_type, nonce or str(uuid.uuid4()), tamper)
        record = CallbackRecord(url=url, class_id=class_id, object_id=object_id, event_type=event_type, body=body)
        with self._changed:
            self.sent.append(record)
        self._queue(0.0, record)
        return record

    def wait_for(self, record: CallbackRecord, timeout_s: float = 5.0) -> CallbackRecord:
        """The record once it was answered for good, or given up, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: record.done, timeout_s)
        return record

    def _queue(self, at: float, record: CallbackRecord | None) -> None:
        with self._changed:
            self._number += 1
            self._waiting.put((at, self._number, record))

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._stopping.is_set():
                at, _, record = self._waiting.get()
                delay_s = at - time.monotonic()
                if record is None or (delay_s > 0 and self._rest(at, record, min(delay_s, 0.1))):
                    continue
                self._attempt(session, record)

    def _rest(self, at: float, record: CallbackRecord, delay_s: float) -> bool:
        """Not due yet: put it back, and look again soon, for newer ones may be due before."""
        self._queue(at, record)
        return self._stopping.wait(delay_s) or True

    def _attempt(self, session: requests.Session, record: CallbackRecord) -> None:
        record.attempts += 1
        try:
            answer = session.post(
                record.url,
                data=record.body,
                headers={"Content-Type": "application/json", "User-Agent": "Googlebot/2.1"},
                timeout=ANSWER_TIMEOUT_S,
                allow_redirects=False,
            )
            record.status = answer.status_code
        except requests.RequestException:
            record.status = 0
        again = record.status == 0 or record.status >= 500
        if again and record.attempts <= len(self.retry_delays_s):
            self._queue(time.monotonic() + self.retry_delays_s[record.attempts - 1], record)
            return
        with self._changed:
            record.done = True
            self._changed.notify_all()


def _spki(key: ec.EllipticCurvePublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _sign(key: ec.EllipticCurvePrivateKey, parts: tuple[str, ...], order: str) -> str:
    data = b"".join(
        len(part.encode()).to_bytes(4, "big" if order == "big" else "little") + part.encode() for part in parts
    )
    return base64.b64encode(key.sign(data, ec.ECDSA(hashes.SHA256()))).decode()
