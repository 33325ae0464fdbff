"""A simulated Android phone with one Google account."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.sandbox.phone_ports import GoogleWallet


class GooglePhone:
    def __init__(self, wallet: GoogleWallet, folder: Path, language: str = "en", *, account: str = "phone") -> None: ...

    lock_screen: list[str]
    log: list[str]

    def save(self, link_or_jwt: str) -> list[str]:
        """Save what the link names; the ids of the objects saved. Raises ValueError with the reason of a refusal."""

    def delete(self, object_id: str) -> None: ...

    def card(self, object_id: str) -> Any:
        """The object over its class, as the phone shows it now; None without such a card."""

    def set_airplane_mode(self, on: bool) -> None: ...

    def set_language(self, language: str) -> None: ...

    def wait_until(self, predicate: Callable[["GooglePhone"], bool], timeout_s: float = 10.0) -> bool: ...

    def watch(self, on_change: Callable[[], None]) -> None: ...

    def close(self) -> None: ...
