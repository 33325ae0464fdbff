"""What the simulated Android phone needs of the Google stand-in."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Json = dict[str, Any]


class GoogleWallet(Protocol):
    """The Google Wallet stand-in, as an account on a phone meets it."""

    def get_class(self, class_id: str) -> Mapping[str, Any] | None:
        """The stored class of any vertical."""

    def get_object(self, object_id: str) -> Mapping[str, Any] | None:
        """The stored object of any vertical."""

    def save(self, jwt: str, account: str) -> list[str]:
        """Save what a save link names into the account's wallet; the ids of the objects; ValueError says why not."""

    def delete(self, object_id: str, account: str) -> None:
        """Take the object out of the account's wallet, which sends the delete callback."""

    def subscribe(self, on_event: Callable[[Json], None]) -> Callable[[], None]:
        """on_event is given {kind, object_id or class_id, accounts, notify, header, body} after each change."""
