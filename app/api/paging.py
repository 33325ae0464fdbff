"""Lists by pages: where the next page begins is sealed, so that a cursor tells nothing and cannot be made up."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.errors import ConfigurationError, Unprocessable
from app.vault import Vault

T = TypeVar("T")

LIMIT = 50
LIMIT_MAX = 200
LONGEST_CURSOR = 400


def cursor_of(vault: Vault, listing: str, place: str) -> str:
    """The cursor of a place in a listing; a cursor of another listing does not open it."""
    return base64.urlsafe_b64encode(vault.seal(f"{listing}\n{place}".encode())).rstrip(b"=").decode()


def place_of(vault: Vault, listing: str, cursor: str) -> str:
    """Where a cursor points.

    Raises: Unprocessable `invalid_cursor`.
    """
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, _, place = vault.open(sealed).decode().partition("\n")
    except (binascii.Error, ValueError, ConfigurationError):
        name, place = "", ""
    if name != listing:
        text = "This is no cursor of this list; send the `next` of the page before, unchanged, or none."
        raise Unprocessable("invalid_cursor", text, errors={"cursor": text})
    return place


def page(
    vault: Vault, listing: str, found: Sequence[T], limit: int, *, place: Callable[[T], object]
) -> tuple[Sequence[T], str | None]:
    """A page of at most *limit* of what was found (one more was asked for), and the cursor of the next."""
    items = found[:limit]
    return items, cursor_of(vault, listing, str(place(items[-1]))) if len(found) > limit else None


def answer(items: Sequence[Any], following: str | None) -> dict[str, Any]:
    """A page as lists answer it."""
    return {"items": list(items), "next": following}
