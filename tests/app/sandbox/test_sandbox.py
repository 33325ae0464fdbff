"""The sandbox as a whole: its control API, its memory, and its life as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.sandbox.sandbox import Sandbox
from tests.app.sandbox.apns_client import PASS_TYPE, TOKEN, ApnsClient
from tests.app.sandbox.google_client import OBJECT_ID, GoogleClient, loyalty_class, loyalty_object, thin_jwt


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **query: Any) -> Any:
    answer = requests.request(method, sandbox.control_url + path, json=body, params=query, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def apns_client(sandbox: Sandbox) -> Iterator[ApnsClient]:
    sandbox.hub.register(TOKEN)
    with ApnsClient(sandbox.apns_url, sandbox.ca_file, sandbox.issue_pass_identity(PASS_TYPE)) as client:
        yield client


def test_a_phone_in_another_process_waits_for_its_push(sandbox: Sandbox, apns_client: ApnsClient) -> None:
    heard: list[Any] = []
    phone = threading.Thread(target=lambda: heard.append(ask(sandbox, "GET", "/apns/wait", token=TOKEN, timeout=5)))
    phone.start()
    while not sandbox.hub.is_on(TOKEN):
        time.sleep(0.01)

    apns_client.push()
    phone.join(timeout=5)

    assert heard == [{"topics": [PASS_TYPE]}]
    assert ask(sandbox, "GET", "/apns/wait", token=TOKEN, timeout=0) == {"topics": []}


def test_faults_can_be_ordered_and_records_read_from_another_process(sandbox: Sandbox, apns_client: ApnsClient) -> None:
    ask(sandbox, "POST", "/apns/faults", [{"status": 503, "reason": "ServiceUnavailable", "times": 2}])
    ask(sandbox, "POST", "/apns/faults", {"kind": "refuse_stream"})

    answers = [apns_client.push() for _ in range(3)]

    assert [answer.status for answer in answers] == [503, 503, 0]
    records = ask(sandbox, "GET", "/apns/requests", after=1)
    assert [(record["status"], record["fault"]) for record in records["requests"]] == [
        (503, "answer"),
        (0, "refuse_stream"),
    ]
    assert ask(sandbox, "GET", "/apns/faults") == {"faults": []}


def test_google_can_be_steered_from_another_process(sandbox: Sandbox) -> None:
    client = GoogleClient(sandbox)
    client.made("POST", "loyaltyClass", loyalty_class())
    client.made("POST", "loyaltyObject", loyalty_object())
    before = ask(sandbox, "GET", "/google/events", timeout=0)["last"]
    ask(sandbox, "POST", "/google/faults", {"status": 500, "operation": "loyaltyObject.get"})

    saved = ask(sandbox, "POST", "/google/save", {"jwt": thin_jwt(sandbox)})
    failed = client.call("GET", f"loyaltyObject/{OBJECT_ID}").status_code
    client.close()

    events = ask(sandbox, "GET", "/google/events", after=before, timeout=1)["events"]
    assert (saved, failed) == ({"object_ids": [OBJECT_ID]}, 500)
    assert [event["kind"] for event in events] == ["saved"]
    assert ask(sandbox, "GET", "/google/objects")[OBJECT_ID]["state"] == "ACTIVE"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/apns/faults", {"colour": "red"}),
        ("POST", "/apns/faults", {"kind": "nonsense"}),
        ("POST", "/apns/faults", 7),
        ("POST", "/apns/streams", {}),
        ("POST", "/apns/unknown", {"answer": "maybe"}),
        ("GET", "/apns/wait", None),
        ("POST", "/google/save", {"jwt": "x"}),
        ("POST", "/google/save", {"jwt": 7}),
        ("POST", "/google/settings", {"colour": "red"}),
        ("POST", "/identities", {"pass_type": "../up"}),
    ],
)
def test_wrong_orders_are_refused_with_a_reason(sandbox: Sandbox, method: str, path: str, body: Any) -> None:
    answer = requests.request(method, sandbox.control_url + path, json=body, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_broken_json_and_unknown_paths_are_refused(sandbox: Sandbox) -> None:
    assert requests.post(sandbox.control_url + "/apns/faults", data=b"{", timeout=30).status_code == 400
    assert requests.get(sandbox.control_url + "/nowhere", timeout=30).status_code == 404


def test_a_restarted_sandbox_has_its_addresses_keys_tokens_and_cards(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        identity = sandbox.issue_pass_identity(PASS_TYPE)
        sandbox.hub.register(TOKEN)
        client = GoogleClient(sandbox)
        client.made("POST", "loyaltyClass", loyalty_class())
        client.made("POST", "loyaltyObject", loyalty_object())
        client.close()
        sandbox.google.save(thin_jwt(sandbox), "alice")
        with ApnsClient(sandbox.apns_url, sandbox.ca_file, identity) as apns:
            apns.push()
        before = sandbox.addresses()
        token = thin_jwt(sandbox)

    with Sandbox(tmp_path) as sandbox:
        heard: list[str] = []
        with sandbox.apns.subscribe(TOKEN, heard.append):
            pass

        assert sandbox.addresses() == before
        assert heard == [PASS_TYPE]
        assert sandbox.google.wallet.holders(OBJECT_ID) == ("alice",)
        assert sandbox.google.save(token, "alice") == [OBJECT_ID]


def test_a_taken_port_is_replaced_by_another(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        ports = json.loads((tmp_path / "ports.json").read_text())
    with (
        socket.create_server(("127.0.0.1", ports["apns"])),
        socket.create_server(("127.0.0.1", ports["google"])),
        Sandbox(tmp_path) as sandbox,
    ):
        assert sandbox.apns_url != f"https://127.0.0.1:{ports['apns']}"
        assert sandbox.google_url != f"http://127.0.0.1:{ports['google']}"
        assert json.loads(sandbox.google_credentials.read_text())["token_uri"] == f"{sandbox.google_url}/token"


class Process:
    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "app.sandbox", "--folder", str(folder), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.addresses: dict[str, Any] = json.loads(line) if line else {}

    def end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def test_the_process_says_where_it_is_survives_a_kill_and_stops_when_told(tmp_path: Path) -> None:
    first = Process(tmp_path, "--pass-type", PASS_TYPE, "--team", "TEAM123456")
    assert json.loads((tmp_path / "sandbox.json").read_text()) == first.addresses
    folder = Path(first.addresses["identities"][PASS_TYPE])
    assert (folder / "key.pem").exists()
    requests.post(first.addresses["control_url"] + "/apns/tokens", json={"token": TOKEN}, timeout=30)
    assert requests.get(first.addresses["pages_url"], timeout=30).status_code == 200
    first.end(signal.SIGKILL)

    second = Process(tmp_path)
    with ApnsClient(second.addresses["apns_url"], Path(second.addresses["ca_file"]), folder) as apns:
        status = apns.push().status
    code = second.end(signal.SIGTERM)

    same = ("apns_url", "google_url", "control_url")
    assert [second.addresses[name] for name in same] == [first.addresses[name] for name in same]
    assert status == 200
    assert code == 0
    assert not (tmp_path / "sandbox.json").exists()


def test_it_ends_by_itself_when_whoever_started_it_died_while_it_was_loading(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()

    orphan = Process(tmp_path, "--end-with", str(gone.pid))

    assert orphan.process.wait(timeout=20) == 0
    orphan.end(signal.SIGTERM)


def test_it_runs_on_while_whoever_started_it_does(tmp_path: Path) -> None:
    kept = Process(tmp_path, "--end-with", str(os.getpid()))

    with pytest.raises(subprocess.TimeoutExpired):
        kept.process.wait(timeout=1.5)
    assert kept.end(signal.SIGTERM) == 0


def test_a_start_that_cannot_be_ends_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "app.sandbox", "--folder", str(tmp_path), "--port-base", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=dict(os.environ))

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "cannot start" in ended.stderr
