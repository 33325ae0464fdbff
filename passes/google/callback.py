"""Save and delete callbacks: believe them only when the whole chain of signatures holds.

Two signatures make the chain: a root key of Google's signs an intermediate key, and that one signs the message. Lengths
in what is signed are those of the UTF-8 bytes, and texts are judged exactly as they came, never written anew.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from passes.google.refusal import Refusal, RefusedCallback
from passes.google.root_keys import PROTOCOL, RootKeys, moment, p256_key

__all__ = ["BODY_MAX_BYTES", "CallbackEvent", "EventType", "Refusal", "RefusedCallback", "verify"]

BODY_MAX_BYTES = 16 * 1024
SENDER = "GooglePayPasses"
SIGNATURES_MAX = 8
NONCE_MAX_CHARACTERS = 255


class EventType(Enum):
    """What somebody did with the card."""

    SAVE = "save"
    DELETE = "del"


@dataclass(frozen=True, kw_only=True)
class CallbackEvent:
    """Somebody saved or removed a card.

    Ids are as Google sent them: ours by issuer, not necessarily known. Keep the nonce, unique, in the transaction of
    the effect, until `expires_at` plus a margin: the same event may come twice.
    """

    event: EventType
    class_id: str
    object_id: str
    nonce: str
    expires_at: datetime
    count: int


@dataclass(frozen=True, kw_only=True)
class _Envelope:
    signature: bytes
    signed_key: str
    key_signatures: tuple[bytes, ...]
    signed_message: str


def verify(body: bytes, *, keys: RootKeys, issuer: str, now: datetime) -> CallbackEvent:
    """Check a callback's bytes and read the event.

    Args:
        issuer: our configured issuer id; never one from the message, or another issuer's genuine callbacks pass.

    Raises: RefusedCallback.
    Source: Google Wallet, "Use callbacks for saves and deletions"; Google Pay, "Verify the signature".
    """
    envelope = _envelope(body)
    _check_chain(envelope, keys, now)
    intermediate = _intermediate_key(envelope.signed_key, now)
    signed = _length_value(SENDER, issuer, PROTOCOL, envelope.signed_message)
    if not _holds(intermediate, envelope.signature, signed):
        raise RefusedCallback(Refusal.BAD_SIGNATURE, "the message is not signed by Google for this issuer")
    return _event(envelope.signed_message, issuer, now)


def _envelope(body: bytes) -> _Envelope:
    if len(body) > BODY_MAX_BYTES:
        raise RefusedCallback(Refusal.TOO_LARGE, f"the body has more than {BODY_MAX_BYTES} bytes")
    outer = _object(body, "the body")
    if outer.get("protocolVersion") != PROTOCOL:
        raise RefusedCallback(Refusal.WRONG_PROTOCOL, f"the protocol is not {PROTOCOL}")
    key = outer.get("intermediateSigningKey")
    if not isinstance(key, dict):
        raise RefusedCallback(Refusal.MALFORMED, "intermediateSigningKey is missing")
    signatures = key.get("signatures")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= SIGNATURES_MAX:
        raise RefusedCallback(Refusal.MALFORMED, f"the key must have 1 to {SIGNATURES_MAX} signatures")
    return _Envelope(
        signature=_bytes(outer.get("signature"), "signature"),
        signed_key=_text(key.get("signedKey"), "signedKey"),
        key_signatures=tuple(_bytes(each, "signatures") for each in signatures),
        signed_message=_text(outer.get("signedMessage"), "signedMessage"),
    )


def _check_chain(envelope: _Envelope, keys: RootKeys, now: datetime) -> None:
    roots = keys.live(now)
    if not roots:
        raise RefusedCallback(Refusal.NO_ROOT_KEYS, "every root key has expired; fetch them again")
    signed = _length_value(SENDER, PROTOCOL, envelope.signed_key)
    if not any(_holds(root.key, each, signed) for root in roots for each in envelope.key_signatures):
        raise RefusedCallback(Refusal.BAD_CHAIN, "no root key has signed the intermediate key")


def _intermediate_key(signed_key: str, now: datetime) -> EllipticCurvePublicKey:
    content = _object(signed_key, "signedKey")
    expires_at = moment(content.get("keyExpiration"))
    if expires_at is None:
        raise RefusedCallback(Refusal.MALFORMED, "the intermediate key has no expiry")
    if expires_at <= now:
        raise RefusedCallback(Refusal.EXPIRED_KEY, f"the intermediate key expired at {expires_at.isoformat()}")
    key = p256_key(content.get("keyValue"))
    if key is None:
        raise RefusedCallback(Refusal.BAD_KEY, "the intermediate key is no P-256 key")
    return key


def _event(signed_message: str, issuer: str, now: datetime) -> CallbackEvent:
    content = _object(signed_message, "signedMessage")
    expires_at = moment(content.get("expTimeMillis"))
    if expires_at is None:
        raise RefusedCallback(Refusal.MALFORMED, "the message has no expiry")
    if expires_at <= now:
        raise RefusedCallback(Refusal.EXPIRED, f"the message expired at {expires_at.isoformat()}")
    class_id, object_id = _own_id(content, "classId", issuer), _own_id(content, "objectId", issuer)
    if content.get("eventType") not in [event.value for event in EventType]:
        raise RefusedCallback(Refusal.UNKNOWN_EVENT, "the event is neither save nor del")
    nonce = content.get("nonce")
    if not isinstance(nonce, str) or not 0 < len(nonce) <= NONCE_MAX_CHARACTERS:
        raise RefusedCallback(Refusal.NO_NONCE, f"the nonce must have 1 to {NONCE_MAX_CHARACTERS} characters")
    count = content.get("count")
    return CallbackEvent(
        event=EventType(content["eventType"]),
        class_id=class_id,
        object_id=object_id,
        nonce=nonce,
        expires_at=expires_at,
        count=count if isinstance(count, int) else 1,
    )


def _own_id(content: dict[str, object], name: str, issuer: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value.startswith(f"{issuer}."):
        raise RefusedCallback(Refusal.WRONG_ISSUER, f"{name} belongs to another issuer")
    return value


def _length_value(*texts: str) -> bytes:
    """Each text as its length in bytes (four, little-endian) and its UTF-8."""
    encoded = [text.encode() for text in texts]
    return b"".join(len(each).to_bytes(4, "little") + each for each in encoded)


def _holds(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _object(text: str | bytes, what: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    # Deep nesting exhausts the parser's stack, and a number of thousands of digits is a ValueError.
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RefusedCallback(Refusal.MALFORMED, f"{what} is no JSON object")
    return value


def _text(value: object, what: str) -> str:
    try:
        if isinstance(value, str) and value.encode():
            return value
    except UnicodeEncodeError:
        pass
    raise RefusedCallback(Refusal.MALFORMED, f"{what} is no text")


def _bytes(value: object, what: str) -> bytes:
    try:
        return base64.b64decode(_text(value, what), validate=True)
    except ValueError:
        raise RefusedCallback(Refusal.MALFORMED, f"{what} is no base64") from None
