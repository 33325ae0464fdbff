"""A simulated iPhone: it follows Apple's protocol to the letter and judges what it is given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.sandbox.phone_ports import PushHub

RETRY_DELAYS_S = (1.0, 3.0, 10.0, 30.0, 120.0)


class ApplePhone:
    def __init__(
        self,
        hub: PushHub,
        folder: Path,
        language: str = "en",
        *,
        root_pem: bytes,
        timezone: str = "Europe/London",
        allow_http: bool = True,
        retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S,
    ) -> None:
        """root_pem: the certificate authorities the phone trusts for passes; folder keeps the device's state."""

    lock_screen: list[str]
    log: list[str]

    def add(self, pkpass: bytes) -> Any:
        """Judge the archive and, unless Wallet would refuse it, keep the pass and register; the Verdict."""

    def delete(self, serial: str) -> None:
        """Remove the card, as the user would: unregisters."""

    def shows(self, serial: str, field_key: str) -> Any:
        """The raw value of a field on the card, None without such a card or field."""

    def shows_text(self, serial: str, field_key: str) -> str | None:
        """The value as the user reads it, in the phone's language."""

    def pull_to_refresh(self, serial: str) -> None: ...

    def set_airplane_mode(self, on: bool) -> None: ...

    def set_automatic_updates(self, serial: str, on: bool) -> None: ...

    def set_language(self, language: str) -> None: ...

    def change_push_token(self) -> None:
        """A new token, as after a restore: the old one is retired and every card registers again."""

    def wait_until(self, predicate: Callable[["ApplePhone"], bool], timeout_s: float = 10.0) -> bool: ...

    def watch(self, on_change: Callable[[], None]) -> None:
        """on_change is called after anything visible changed."""

    def close(self) -> None: ...
