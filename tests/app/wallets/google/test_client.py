"""Access tokens: one for all threads, and a new one when Google no longer takes it."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.settings import Settings
from app.wallets.google.client import GoogleClient
from passes.google.api import Request
from passes.outcome import Outcome
from tests.conftest import SECRET

THREADS = 8


class OneToken(ThreadingHTTPServer):
    """A token server and API that honour only the newest token, and take their time to make one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.given: list[str] = []
        self.refused = 0
        self.lock = threading.Lock()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str, bearer: str) -> tuple[int, dict[str, object]]:
        if path == "/token":
            time.sleep(0.05)
            with self.lock:
                self.given.append(f"token-{len(self.given)}")
                return 200, {"access_token": self.given[-1], "expires_in": 3600, "token_type": "Bearer"}
        if self.given and bearer == f"Bearer {self.given[-1]}":
            return 200, {"id": "1"}
        self.refused += 1
        return 401, {"error": {"code": 401, "message": "expired", "errors": [{"reason": "authError"}]}}


class Handler(BaseHTTPRequestHandler):
    server: OneToken

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = self.server.answer(self.path, self.headers.get("Authorization", ""))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def google() -> Iterator[OneToken]:
    with OneToken() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def client(google: OneToken, tmp_path: Path) -> GoogleClient:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = tmp_path / "account.json"
    account = {
        "client_email": "a@b.example",
        "private_key": pem,
        "private_key_id": "1",
        "token_uri": f"{google.base}/token",
    }
    file.write_text(json.dumps(account), encoding="utf-8")
    settings = Settings(
        var_dir=tmp_path,
        secret_key=SECRET,
        google_credentials=file,
        google_issuer_id="33",
        google_wallet_url=google.base,
    )
    return GoogleClient(settings, lambda: datetime.now(UTC))


def outcomes(client: GoogleClient) -> set[Outcome]:
    asked = Request(method="GET", path="/walletobjects/v1/issuer/33", operation="get")
    with ThreadPoolExecutor(THREADS) as pool:
        return {answer.outcome for answer in pool.map(lambda _: client.call(asked), range(THREADS))}


def test_threads_that_start_together_share_one_token(google: OneToken, client: GoogleClient) -> None:
    assert outcomes(client) == {Outcome.DELIVERED}

    assert (google.given, google.refused) == (["token-0"], 0)


def test_a_token_that_is_refused_to_all_is_replaced_once(google: OneToken, client: GoogleClient) -> None:
    outcomes(client)
    google.given.append("another process's")

    assert outcomes(client) == {Outcome.DELIVERED}

    assert len(google.given) == 3
    assert google.refused <= THREADS
