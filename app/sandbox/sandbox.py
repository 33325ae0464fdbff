"""All stand-ins of one sandbox folder, started and stopped together."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from wsgiref.types import WSGIApplication

from app.sandbox.authority import Authority
from app.sandbox.google.events import Events
from app.sandbox.hub import Hub
from app.sandbox.state import State


class Sandbox:
    """APNs, Google Wallet, their authority and a control API on 127.0.0.1, for as long as `with` lasts.

    Addresses are known once started and stay the same for a folder where the ports are free again.
    """

    apns_url: str  # https; demands a pass certificate of `ca_file`'s authority
    apns_token_url: str  # https; certificate optional, for .p8 bearer tokens
    google_url: str  # TESSERA_GOOGLE_WALLET_URL
    root_keys_url: str  # TESSERA_GOOGLE_ROOT_KEYS_URL
    save_url_prefix: str  # …/gp/v/save
    control_url: str
    pages_url: str  # "" without pages
    ca_file: Path  # TESSERA_APNS_CA_FILE, and the root that passes chain to
    google_credentials: Path  # TESSERA_GOOGLE_CREDENTIALS
    google_issuer_id: str
    product_url: str
    hub: Hub
    google_events: Events

    def __init__(
        self,
        folder: Path,
        *,
        port_base: int = 0,
        product_url: str = "",
        create_pages: Callable[["Sandbox"], WSGIApplication] | None = None,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(folder)
        self.state = State(folder / "state.db")
        self.hub = Hub(self.state)
        self.google_events = Events()  # becomes self.google.events
        self.product_url = product_url

    def issue_pass_identity(self, pass_type: str, team: str = "TEAM123456") -> Path:
        """The folder with certificate.pem, key.pem and wwdr.pem of *pass_type*; the same on repeat."""
        return self.authority.issue_pass_identity(pass_type, team)

    def start(self) -> None: ...

    def stop(self) -> None:
        self.state.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
