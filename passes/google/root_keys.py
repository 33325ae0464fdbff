"""Google's root keys for callbacks: the published document, and how long it may be trusted."""

from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

URL = "https://pay.google.com/gp/m/issuer/keys"


@dataclass(frozen=True, kw_only=True)
class RootKey:
    key: EllipticCurvePublicKey
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RootKeys:
    """A set of keys as it was fetched, expired ones included."""

    keys: tuple[RootKey, ...]

    def live(self, now: datetime) -> tuple[RootKey, ...]:
        """The keys that may still be used; serve them on while Google cannot be reached."""
        raise NotImplementedError

    def refresh_at(self, *, fetched_at: datetime, max_age_s: int) -> datetime:
        """When to fetch again: after the HTTP cache's time, and an hour before the first key expires."""
        raise NotImplementedError


def parse(document: bytes) -> RootKeys:
    """Read the published document. Raises: RefusedCallback, if there is no usable key in it."""
    raise NotImplementedError
