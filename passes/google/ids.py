"""Ids of classes and objects: `<issuer>.<suffix>`, and the four kinds of resource they name."""

import re
from dataclasses import dataclass
from enum import Enum

from passes.errors import InvalidPass

SUFFIX_MAX_CHARACTERS = 64
_ISSUER = re.compile(r"[0-9]{1,20}", re.ASCII)
_SUFFIX = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


class Kind(Enum):
    """A kind of resource; the value is its name in paths."""

    LOYALTY_CLASS = "loyaltyClass"
    LOYALTY_OBJECT = "loyaltyObject"
    OFFER_CLASS = "offerClass"
    OFFER_OBJECT = "offerObject"

    @property
    def is_class(self) -> bool:
        return self in (Kind.LOYALTY_CLASS, Kind.OFFER_CLASS)

    @property
    def schema(self) -> str:
        """The type's name in Google's schema."""
        return self.value[0].upper() + self.value[1:]

    @property
    def class_kind(self) -> "Kind":
        """The class that goes with this object; a class answers itself."""
        return Kind.LOYALTY_CLASS if self in (Kind.LOYALTY_CLASS, Kind.LOYALTY_OBJECT) else Kind.OFFER_CLASS


@dataclass(frozen=True, kw_only=True, order=True)
class ResourceId:
    """The id of a class or an object; it is valid because it exists.

    Ids are never freed and appear in links and logs: derive the suffix from a key of your own, never from an
    address or a phone number.

    Raises: InvalidPass.
    """

    issuer: str
    suffix: str

    def __post_init__(self) -> None:
        problems = []
        if not _ISSUER.fullmatch(self.issuer):
            problems.append(f"issuer id {self.issuer!r}: use the digits that the Google Wallet console shows")
        if not _SUFFIX.fullmatch(self.suffix):
            problems.append(f"id suffix {self.suffix!r}: use only A-Z a-z 0-9 . _ - and at least one of them")
        if len(self.suffix) > SUFFIX_MAX_CHARACTERS:
            problems.append(f"id suffix has {len(self.suffix)} characters: use at most {SUFFIX_MAX_CHARACTERS}")
        if problems:
            raise InvalidPass(problems)

    def __str__(self) -> str:
        return f"{self.issuer}.{self.suffix}"

    @classmethod
    def parse(cls, text: str) -> "ResourceId":
        """Split at the first dot, because a suffix may hold more of them."""
        issuer, _, suffix = text.partition(".")
        return cls(issuer=issuer, suffix=suffix)
