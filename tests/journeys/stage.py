"""A stage for a story: the product's own processes, the sandbox, phones, and an integrator's key."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from app.sandbox.sandbox import Sandbox
from tests.ports import free_port

PASS_TYPE = "pass.com.example.stage"
TEAM = "STAGE12345"
# generous, because a machine may be busy with something else; nothing here measures speed
ANSWER_WITHIN_S, READY_WITHIN_S, SHOWN_WITHIN_S, STOPPED_WITHIN_S = 60, 180, 120, 60
# A server on a busy machine may take half a minute to come back after kill -9; a phone goes on asking.
PATIENTLY = (0.2, 0.2, 0.5, 0.5, 1.0, 1.0, 2.0, 2.0, *(5.0,) * 60)


def wait_for(what: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """The first true answer of *what*; fails the test when the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


class Product:
    """The product's processes as an operator would start them, met only by address."""

    def __init__(self, folder: Path, sandbox: Sandbox, database_url: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.environ = {
            **os.environ,
            "TESSERA_DATABASE_URL": database_url,
            "TESSERA_VAR_DIR": str(folder / "var"),
            "TESSERA_CERTS_DIR": str(folder / "sandbox" / "passes"),
            "TESSERA_BASE_URL": self.base,
            "TESSERA_LISTEN": f"127.0.0.1:{self.port}",
            "TESSERA_APNS_URL": sandbox.apns_url,
            "TESSERA_APNS_CA_FILE": str(sandbox.ca_file),
            "TESSERA_GOOGLE_WALLET_URL": sandbox.google_url,
            "TESSERA_GOOGLE_CREDENTIALS": str(sandbox.google_credentials),
            "TESSERA_GOOGLE_ISSUER_ID": sandbox.google_issuer_id,
            "TESSERA_GOOGLE_ROOT_KEYS_URL": sandbox.root_keys_url,
            "TESSERA_GOOGLE_SAVE_URL": sandbox.save_url_prefix.rstrip("/"),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def tessera(self, *arguments: str, stdin: str = "") -> str:
        """Run a command to its end; its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            env=self.environ,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=READY_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *names: str) -> None:
        """Start processes by the names of their commands; `worker-2` is a second worker."""
        for name in names:
            self.begin(name)
        if {"web", "run"} & set(names):
            self.wait_ready()

    def begin(self, name: str, **environ: str) -> None:
        """Start a process, with settings of its own, and wait for nothing."""
        command = [sys.executable, "-m", "app", name.partition("-")[0]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env={**self.environ, **environ}, cwd=self.folder, stdout=log, stderr=log
            )

    def wait_ready(self) -> None:
        wait_for(self._is_ready, READY_WITHIN_S)

    def kill(self, *names: str) -> None:
        """kill -9, as a power cut or the kernel would."""
        for name in names:
            self.processes[name].send_signal(signal.SIGKILL)
            self.processes[name].wait()
        if "web" in names or "run" in names:
            wait_for(self._port_is_free)

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
                process.send_signal(signal.SIGCONT)  # a frozen one would never hear it
        for process in self.processes.values():
            try:
                process.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def _port_is_free(self) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return False
            return True


class Integrator:
    """Calls the API as a partner would."""

    def __init__(self, base: str, key: str) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"

    def post(self, path: str, body: dict[str, Any], *, key: str | None = None, expect: int = 201) -> dict[str, Any]:
        answer = self.session.post(
            f"{self.base}/api/v1/{path}",
            json=body,
            headers={"Idempotency-Key": key or str(uuid.uuid4())},
            timeout=ANSWER_WITHIN_S,
        )
        assert answer.status_code == expect, answer.text
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def get(self, path: str) -> dict[str, Any]:
        answer = self.session.get(f"{self.base}/api/v1/{path}", timeout=ANSWER_WITHIN_S)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def earn(self, number: str, amount: str, *, key: str | None = None, receipt: str | None = None) -> dict[str, Any]:
        body = {"amount": amount, **({"receipt": receipt} if receipt else {})}
        return self.post(f"cards/{number}/earn", body, key=key)


class Stage:
    """Everything a story needs, with one programme and its first member."""

    def __init__(self, folder: Path, sandbox: Sandbox, product: Product, key: str) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.product = product
        self.api = Integrator(product.base, key)
        self._phones: list[ApplePhone | GooglePhone] = []

    def iphone(self, name: str = "iphone", language: str = "en") -> ApplePhone:
        phone = ApplePhone(
            self.sandbox.hub,
            self.folder / "phones" / name,
            language,
            root_pem=self.sandbox.ca_file.read_bytes(),
            retry_delays_s=PATIENTLY,
        )
        self._phones.append(phone)
        return phone

    def android(self, name: str = "android", language: str = "en") -> GooglePhone:
        phone = GooglePhone(self.sandbox.google, self.folder / "phones" / name, language, account=name)
        self._phones.append(phone)
        return phone

    def member(self, name: str = "Ayşe Yılmaz", **more: Any) -> dict[str, Any]:
        """A new member through the API; the card as the API shows it."""
        card: dict[str, Any] = self.api.post("members", {"programme": "stage", "name": name, **more})["card"]
        return card

    def add_to_iphone(self, phone: ApplePhone, card: dict[str, Any]) -> None:
        """Open the pass on the phone and wait until it has registered."""
        answer = requests.get(card["links"]["apple"], timeout=ANSWER_WITHIN_S)
        assert answer.headers["Content-Type"] == "application/vnd.apple.pkpass", answer.text
        verdict = phone.add(answer.content)
        assert verdict.accepted, verdict.reasons
        assert phone.wait_until(lambda p: p.is_registered(card["serial"]), SHOWN_WITHIN_S), phone.log

    def add_to_android(self, phone: GooglePhone, card: dict[str, Any]) -> str:
        """Follow the save link and save; the object's id."""
        answer = requests.get(card["links"]["google"], timeout=ANSWER_WITHIN_S, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return phone.save(answer.headers["Location"])[0]

    def close(self) -> None:
        for phone in self._phones:
            phone.close()


def balance_on(phone: GooglePhone, object_id: str) -> Any:
    """The points an Android phone shows."""
    copies = phone.stored(object_id)
    return copies[0].get("loyaltyPoints", {}).get("balance", {}).get("int") if copies else None


@contextmanager
def stage(folder: Path, database_url: str, *parts: str, environ: Mapping[str, str] | None = None) -> Iterator[Stage]:
    """Set the stage: sandbox, product processes, key, programme; strike it afterwards."""
    with Sandbox(folder / "sandbox") as sandbox:
        sandbox.issue_pass_identity(PASS_TYPE, TEAM)
        product = Product(folder, sandbox, database_url)
        product.environ.update(environ or {})
        sandbox.google.issuer_callback_url = f"{product.base}/google/callback"
        key = json.loads(product.tessera("apikey", "create", "--name", "stage", "--scope", "admin", "--json"))["key"]
        set_stage = Stage(folder, sandbox, product, key)
        try:
            product.start(*(parts or ("web", "deliver")))
            set_stage.api.post("programmes", PROGRAMME)
            yield set_stage
        finally:
            set_stage.close()
            product.stop()


PROGRAMME = {
    "slug": "stage",
    "name": "Kahve Durağı",
    "currency": "TRY",
    "timezone": "Europe/Istanbul",
    "language": "en",
    "pass_type_identifier": PASS_TYPE,
    "team_identifier": TEAM,
    "organization_name": "Kahve Durağı",
    "earn": {"points": 1, "per": "10.00"},
    "tiers": [{"name": "Silver", "threshold": "0"}, {"name": "Gold", "threshold": "5000.00", "multiplier": "1.5"}],
}
