"""Google's schema as rules for a body: types, enums, unknown members, what is required, how many, how long."""

from dataclasses import dataclass
from enum import Enum

Body = dict[str, object]


class Use(Enum):
    """What the body is for: everything required must be there, or nulls clear and the rest stays."""

    INSERT = "insert"
    PATCH = "patch"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong: a stable code, where, what, and how to mend it."""

    code: str
    path: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.mend}"


def problems(type_name: str, body: Body, use: Use = Use.INSERT) -> list[Finding]:
    """List every rule that the body breaks; empty means that it may be sent.

    Args:
        type_name: "LoyaltyClass", "LoyaltyObject", "OfferClass", "OfferObject", "AddMessageRequest", "JwtResource", …
    """
    raise NotImplementedError


def check(type_name: str, body: Body, use: Use = Use.INSERT) -> None:
    """Raises: InvalidPass, with every problem."""
    raise NotImplementedError
