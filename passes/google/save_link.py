"""The signed link that puts a card into Google Wallet. It names ids only; create class and object first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from passes.google.ids import Kind, ResourceId

PREFIX = "https://pay.google.com/gp/v/save/"
LINK_MAX_CHARACTERS = 1800


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
        raise NotImplementedError


def save_link(
    signer: Signer, objects: Sequence[ObjectRef], *, origins: Sequence[str], at: datetime, prefix: str = PREFIX
) -> str:
    """Sign a link that saves these objects.

    Raises: InvalidPass, if it would be longer than 1,800 characters, which browsers and mailers break.
    """
    raise NotImplementedError


def save_jwt(signer: Signer, objects: Sequence[ObjectRef], *, origins: Sequence[str], at: datetime) -> str:
    """The JWT alone, of any length, for `api.insert_jwt`."""
    raise NotImplementedError
