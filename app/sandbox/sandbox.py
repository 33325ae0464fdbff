"""All stand-ins of one sandbox folder, started and stopped together."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from wsgiref.types import WSGIApplication

from app.sandbox.apns.server import ApnsStandIn
from app.sandbox.authority import Authority
from app.sandbox.control import Control
from app.sandbox.google.http import ROOT_KEYS, SAVE_PREFIX, GoogleHttp
from app.sandbox.google.stand_in import GoogleStandIn
from app.sandbox.http_server import LocalServer
from app.sandbox.hub import Hub
from app.sandbox.state import State

ISSUER_ID = "3388000000012345678"
DOORS = ("apns", "apns_token", "google", "control", "pages")


class Sandbox:
    """APNs, Google Wallet, their authority and a control API on 127.0.0.1, for as long as `with` lasts.

    Addresses are known once started. A folder gets the ports it had before where they are free, and remembers its
    keys, tokens, classes, objects and wallets; *port_base* fixes the five ports instead.
    `create_pages` makes the WSGI application of the phones' pages, served at `pages_url`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port_base: int = 0,
        product_url: str = "",
        issuer_id: str = ISSUER_ID,
        create_pages: Callable[["Sandbox"], WSGIApplication] | None = None,
    ) -> None:
        self.folder = folder
        self.product_url = product_url
        self.google_issuer_id = issuer_id  # TESSERA_GOOGLE_ISSUER_ID
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.authority = Authority(folder)
        self.ca_file = self.authority.ca_file  # TESSERA_APNS_CA_FILE, and the root that passes chain to
        self.google_credentials = self.authority.service_account("")  # TESSERA_GOOGLE_CREDENTIALS
        self.state = State(folder / "state.db")
        self.hub = Hub(self.state)
        self.apns = ApnsStandIn(self.authority, self.hub)
        self.google = GoogleStandIn(self.authority, self.state, issuer_id, self.google_credentials)
        self.google.issuer_callback_url = f"{product_url}/google/callback" if product_url else ""
        self.apns_url = ""  # TESSERA_APNS_URL; demands a pass certificate
        self.apns_token_url = ""  # the same APNs; certificate optional, for .p8 bearer tokens
        self.google_url = ""  # TESSERA_GOOGLE_WALLET_URL
        self.root_keys_url = ""  # TESSERA_GOOGLE_ROOT_KEYS_URL
        self.save_url_prefix = ""
        self.control_url = ""
        self.pages_url = ""  # stays "" without pages
        self._create_pages = create_pages
        self._servers: list[LocalServer] = []
        self._closers: list[Callable[[], object]] = []
        self._ports = dict(zip(DOORS, range(port_base, port_base + len(DOORS)), strict=True)) if port_base else {}
        self._fixed_ports = bool(port_base)

    def issue_pass_identity(self, pass_type: str, team: str = "TEAM123456", **options: Any) -> Path:
        """The folder with certificate.pem, key.pem and wwdr.pem; see Authority.issue_pass_identity."""
        folder = self.authority.issue_pass_identity(pass_type, team, **options)
        self.apns.forget_credentials()
        return folder

    def issue_push_key(self, team: str) -> Path:
        """AuthKey_<key id>.p8 of *team*, for `apns_token_url`."""
        file = self.authority.issue_push_key(team)
        self.apns.forget_credentials()
        return file

    def at_stop(self, close: Callable[[], object]) -> None:
        """Have *close* called when the sandbox stops, before its servers do."""
        self._closers.append(close)

    def addresses(self) -> dict[str, Any]:
        """What sandbox.json says: every address and file, and the pass identities issued so far."""
        names = ("apns_url", "apns_token_url", "google_url", "root_keys_url", "save_url_prefix", "control_url")
        return {
            **{name: getattr(self, name) for name in (*names, "pages_url", "google_issuer_id", "product_url")},
            "ca_file": str(self.ca_file),
            "google_credentials": str(self.google_credentials),
            "identities": {
                file.parent.name: str(file.parent) for file in (self.folder / "passes").glob("*/certificate.pem")
            },
            "pid": os.getpid(),
        }

    def start(self) -> None:
        if not self._fixed_ports:
            self._ports = self._ports_of_last_time()
        self._start_apns()
        google = self._serve("google", GoogleHttp(self.google))
        self.google_url = google.url
        self.root_keys_url = google.url + ROOT_KEYS
        self.save_url_prefix = google.url + SAVE_PREFIX
        token_uri = google.url + "/token"
        self.google_credentials = self.authority.service_account(token_uri)
        self.google.account.token_uri = token_uri
        self.google.courier.start()
        self.control_url = self._serve("control", Control(self)).url
        if self._create_pages is not None:
            self.pages_url = self._serve("pages", self._create_pages(self)).url
            self.google.after_save_url = self.pages_url
        self._write("ports.json", self._ports)
        self._write("sandbox.json", self.addresses())

    def stop(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "sandbox.json").unlink()
        for close in self._closers:
            close()
        for server in self._servers:
            server.stop()
        self.google.courier.stop()
        self.apns.stop()
        self.state.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_apns(self) -> None:
        def ports() -> tuple[int, int]:
            return self._ports.get("apns", 0), self._ports.get("apns_token", 0)

        try:
            self.apns.start(*ports())
        except OSError:
            if self._fixed_ports:
                raise
            self._ports.pop("apns", None)
            self._ports.pop("apns_token", None)
            self.apns.start(*ports())
        self.apns_url, self.apns_token_url = self.apns.url, self.apns.token_url
        self._ports["apns"] = int(self.apns_url.rsplit(":", 1)[1])
        self._ports["apns_token"] = int(self.apns_token_url.rsplit(":", 1)[1])

    def _serve(self, door: str, application: WSGIApplication) -> LocalServer:
        try:
            server = LocalServer(application, self._ports.get(door, 0))
        except OSError:
            if self._fixed_ports:
                raise
            server = LocalServer(application)
        self._ports[door] = server.port
        self._servers.append(server)
        server.start()
        return server

    def _ports_of_last_time(self) -> dict[str, int]:
        try:
            ports = json.loads((self.folder / "ports.json").read_text())
        except (OSError, ValueError):
            return {}
        return {door: int(ports[door]) for door in DOORS if isinstance(ports.get(door), int)}

    def _write(self, name: str, content: Any) -> None:
        draft = self.folder / f"{name}.new"
        draft.write_text(json.dumps(content, indent=2))
        draft.replace(self.folder / name)
