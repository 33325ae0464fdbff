"""The signed link that puts a card into Google Wallet. It names ids only; create class and object first."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from passes.errors import IdentityError, InvalidPass
from passes.google.ids import Kind, ResourceId

PREFIX = "https://pay.google.com/gp/v/save/"
LINK_MAX_CHARACTERS = 1800
KEY_MIN_BITS = 2048
_PAYLOAD_NAMES = {Kind.LOYALTY_OBJECT: "loyaltyObjects", Kind.OFFER_OBJECT: "offerObjects"}


@dataclass(frozen=True, kw_only=True)
class ObjectRef:
    """An object that exists, and its class."""

    kind: Kind
    id: ResourceId
    class_id: ResourceId


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A service account's address and key; load it once, reading a key costs more than signing."""

    email: str
    key_id: str | None
    key: RSAPrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, pem: bytes, *, email: str, key_id: str | None = None) -> "Signer":
        """Raises: IdentityError, if the PEM holds no RSA key of at least 2048 bits."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise IdentityError(
                "the service account's private_key is no readable PEM key; download a new one"
            ) from None
        if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_MIN_BITS:
            raise IdentityError(f"the service account's key is no RSA key of {KEY_MIN_BITS} bits; download a new one")
        if "@" not in email:
            raise IdentityError(
                f"{email!r} is no service account; client_email looks like name@project.iam.gserviceaccount.com"
            )
        return cls(email=email, key_id=key_id, key=key)


def save_link(
    signer: Signer, objects: Sequence[ObjectRef], *, origins: Sequence[str], at: datetime, prefix: str = PREFIX
) -> str:
    """Sign a link that saves these objects.

    Args:
        origins: the sites on which the button stands, like "https://cards.example".

    Raises: InvalidPass, also if it would be longer than 1,800 characters, which some browsers and mailers break.
    """
    link = prefix + save_jwt(signer, objects, origins=origins, at=at)
    if len(link) > LINK_MAX_CHARACTERS:
        what = f"the save link for {len(objects)} objects has {len(link)} characters"
        raise InvalidPass(f"{what}; name fewer objects, so that it stays within {LINK_MAX_CHARACTERS}")
    return link


def save_jwt(signer: Signer, objects: Sequence[ObjectRef], *, origins: Sequence[str], at: datetime) -> str:
    """The JWT alone, of any length, for `api.insert_jwt`. Raises: InvalidPass."""
    problems = [
        f"{origin!r} is no origin; write it like https://cards.example" for origin in origins if not _is_origin(origin)
    ]
    problems += [f"{ref.id} is a class; name objects only" for ref in objects if ref.kind not in _PAYLOAD_NAMES]
    if not objects:
        problems.append("the save link names nothing; name at least one object")
    if problems:
        raise InvalidPass(problems)
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": signer.key_id} if signer.key_id else {})
    claims = {
        "iss": signer.email,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(at.timestamp()),
        "origins": list(origins),
        "payload": _payload(objects),
    }
    signed = f"{_encoded(header)}.{_encoded(claims)}"
    signature = signer.key.sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{_base64(signature)}"


def _payload(objects: Sequence[ObjectRef]) -> dict[str, list[dict[str, str]]]:
    payload: dict[str, list[dict[str, str]]] = {}
    for ref in objects:
        payload.setdefault(_PAYLOAD_NAMES[ref.kind], []).append({"id": str(ref.id), "classId": str(ref.class_id)})
    return payload


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    expected = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
    return parts.scheme in ("https", "http") and bool(host) and text == expected


def _encoded(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
