"""Google's root keys for callbacks: the published document, and how long it may be trusted."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from passes.google.refusal import Refusal, RefusedCallback

URL = "https://pay.google.com/gp/m/issuer/keys"
PROTOCOL = "ECv2SigningOnly"
DOCUMENT_MAX_BYTES = 64 * 1024
_BEFORE_EXPIRY = timedelta(hours=1)
_BETWEEN_FETCHES = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class RootKey:
    """A key, and the moment after which it proves nothing; None means that Google named none."""

    key: EllipticCurvePublicKey
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RootKeys:
    """A set of keys as it was fetched, expired ones included."""

    keys: tuple[RootKey, ...]

    def live(self, now: datetime) -> tuple[RootKey, ...]:
        """The keys that may still be used; serve them on while Google cannot be reached."""
        return tuple(root for root in self.keys if root.expires_at is None or root.expires_at > now)

    def refresh_at(self, *, fetched_at: datetime, max_age_s: int) -> datetime:
        """When to fetch again: after the HTTP cache's time, an hour before a key expires, never within a minute."""
        expiries = [root.expires_at for root in self.live(fetched_at) if root.expires_at is not None]
        soonest = min([fetched_at + timedelta(seconds=max_age_s), *(expiry - _BEFORE_EXPIRY for expiry in expiries)])
        return max(soonest, fetched_at + _BETWEEN_FETCHES)


def parse(document: bytes) -> RootKeys:
    """Read the published document, leaving out entries of other protocols and broken ones.

    Raises: RefusedCallback, if there is no usable key in it.
    """
    try:
        entries = json.loads(document)["keys"] if len(document) <= DOCUMENT_MAX_BYTES else []
        keys = tuple(key for entry in entries if (key := _root_key(entry)) is not None)
    except (ValueError, TypeError, KeyError, RecursionError):
        keys = ()
    if not keys:
        raise RefusedCallback(
            Refusal.NO_ROOT_KEYS, "the root key document holds no ECv2SigningOnly key; check its address"
        )
    return RootKeys(keys=keys)


def _root_key(entry: object) -> RootKey | None:
    if not isinstance(entry, dict) or entry.get("protocolVersion") != PROTOCOL:
        return None
    key, expiry = p256_key(entry.get("keyValue")), entry.get("keyExpiration")
    expires_at = moment(expiry)
    if key is None or (expiry is not None and expires_at is None):
        return None
    return RootKey(key=key, expires_at=expires_at)


def p256_key(text: object) -> EllipticCurvePublicKey | None:
    """A P-256 public key from base64 of its SPKI; None for everything else."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True)) if isinstance(text, str) else None
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def moment(millis: object) -> datetime | None:
    """Milliseconds since 1970, as a number or as digits; None for everything else."""
    if isinstance(millis, str) and millis.isascii() and millis.isdigit() and len(millis) <= 18:
        millis = int(millis)
    if isinstance(millis, bool) or not isinstance(millis, int):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        return None
