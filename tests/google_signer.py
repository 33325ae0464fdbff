"""Google's side of callbacks: root and intermediate keys, the keys document, signed messages.

Written from the published layout and independent of the verifier: the product must accept what this signs, and each
argument makes one thing wrong.
"""

import base64
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PROTOCOL = "ECv2SigningOnly"
SENDER = "GooglePayPasses"


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def millis(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def length_value(*texts: str, big_endian: bool = False, in_characters: bool = False) -> bytes:
    parts = []
    for text in texts:
        raw = text.encode("utf-8")
        length = len(text) if in_characters else len(raw)
        parts.append(struct.pack(">I" if big_endian else "<I", length) + raw)
    return b"".join(parts)


def sign(key: ec.EllipticCurvePrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content, ec.ECDSA(SHA256()))).decode()


@dataclass(kw_only=True)
class GoogleSigner:
    """Signs callbacks as Google does. `now` is when everything was made; keys live for eight days after it."""

    issuer: str
    now: datetime
    root: ec.EllipticCurvePrivateKey = field(default_factory=p256)
    intermediate: ec.EllipticCurvePrivateKey = field(default_factory=p256)

    def keys_document(self, *, expires_at: datetime | None = None, no_expiry: bool = False) -> bytes:
        """What the keys address answers; an entry of another protocol stands before ours."""
        other = {"keyValue": spki(p256()), "protocolVersion": "ECv1"}
        ours = {"keyValue": spki(self.root), "protocolVersion": PROTOCOL}
        if not no_expiry:
            ours["keyExpiration"] = str(millis(expires_at or self.now + timedelta(days=3650)))
        return json.dumps({"keys": [other, ours]}).encode()

    def message(self, object_suffix: str = "card-1", **changes: object) -> str:
        """The text of signedMessage. A member given as None is left out."""
        content: dict[str, object] = {
            "classId": f"{self.issuer}.gold",
            "objectId": f"{self.issuer}.{object_suffix}",
            "eventType": "save",
            "expTimeMillis": millis(self.now + timedelta(hours=1)),
            "count": 1,
            "nonce": str(uuid4()),
        } | changes
        kept = {name: value for name, value in content.items() if value is not None}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    def signed_key(
        self,
        *,
        expires_at: datetime | None = None,
        escaped: bool = False,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> str:
        """The text of signedKey; `escaped` writes the padding as Google does, as a literal backslash u003d."""
        expiry = str(millis(expires_at or self.now + timedelta(days=8)))
        text = json.dumps({"keyValue": spki(key or self.intermediate), "keyExpiration": expiry}, separators=(",", ":"))
        return text.replace("=", "\\u003d") if escaped else text

    def callback(
        self,
        message: str | None = None,
        *,
        signed_key: str | None = None,
        issuer: str | None = None,
        sender: str = SENDER,
        big_endian: bool = False,
        in_characters: bool = False,
        intermediate: ec.EllipticCurvePrivateKey | None = None,
        first_signature: str | None = None,
    ) -> dict[str, object]:
        """A callback as a dict, so that a test can spoil it; `first_signature` comes before the good one."""
        text = self.message() if message is None else message
        key_text = self.signed_key() if signed_key is None else signed_key
        form = {"big_endian": big_endian, "in_characters": in_characters}
        good = sign(self.root, length_value(sender, PROTOCOL, key_text, **form))
        content = length_value(sender, issuer or self.issuer, PROTOCOL, text, **form)
        return {
            "protocolVersion": PROTOCOL,
            "signature": sign(intermediate or self.intermediate, content),
            "intermediateSigningKey": {
                "signedKey": key_text,
                "signatures": [good] if first_signature is None else [first_signature, good],
            },
            "signedMessage": text,
        }

    def body(self, message: str | None = None, **changes: object) -> bytes:
        """A callback as the bytes that Google posts."""
        return json.dumps(self.callback(message, **changes)).encode()  # type: ignore[arg-type]
