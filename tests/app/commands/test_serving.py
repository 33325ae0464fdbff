"""How the parts are started: what is refused, with one line that says what mends it."""

import http.client
import select
import signal
import socket
from pathlib import Path

import pytest
import requests

from app import cli
from app.outbox.rules import Lane
from tests.app.commands.shell import Shell, wait_for


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 1
    return capsys.readouterr().err


def test_a_worker_is_told_which_lanes_it_serves() -> None:
    parser = cli.parser()
    assert parser.parse_args(["worker"]).queues == (Lane.URGENT, Lane.NORMAL, Lane.BULK)
    assert parser.parse_args(["worker", "--queues", "normal, urgent"]).queues == (Lane.URGENT, Lane.NORMAL)


@pytest.mark.parametrize("names", ["", "fast", "urgent,fast"])
def test_a_lane_that_does_not_exist_is_wrong_usage(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.parser().parse_args(["worker", "--queues", names])
    assert end.value.code == 2
    assert "urgent, normal, bulk" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["worker", "scheduler", "deliver", "web", "run"])
def test_a_broker_with_sqlite_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TESSERA_BROKER_URL", "redis://127.0.0.1:6379/0")
    said = refusal(capsys, command)
    assert said.count("\n") == 1
    assert "TESSERA_BROKER_URL is for several machines" in said
    assert "postgresql://" in said


def test_a_broker_of_another_kind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TESSERA_DATABASE_URL", "postgresql://a:b@127.0.0.1/x")
    monkeypatch.setenv("TESSERA_BROKER_URL", "kafka://127.0.0.1")
    assert "must be an address that starts with redis:// or rediss:// or amqp://" in refusal(capsys, "worker")


def test_a_web_process_that_is_told_to_stop_serves_on_until_proxies_look_elsewhere(migrated: Shell) -> None:
    migrated.environ["TESSERA_DRAIN_S"] = "2"
    process = migrated.serve("web")
    wait_for(migrated.is_ready)
    begun = http.client.HTTPConnection("127.0.0.1", migrated.port, timeout=20)
    begun.putrequest("POST", "/login")  # a form, which cannot be answered before it is there
    begun.putheader("Content-Type", "application/x-www-form-urlencoded")
    begun.putheader("Content-Length", "2")
    begun.endheaders(b"a")

    process.send_signal(signal.SIGTERM)

    said = wait_for(lambda: readiness(migrated)[0] == 503 and readiness(migrated))
    assert said == (503, ["this process is about to stop"])
    assert requests.get(f"{migrated.base}/join/nothing", timeout=5).status_code == 404
    assert process.poll() is None
    wait_for(lambda: not listens(migrated.port))
    assert select.select([begun.sock], [], [], 0)[0] == [], "it was answered or cut off"
    begun.send(b"=")
    assert begun.getresponse().status == 400
    begun.close()
    assert process.wait(20) == 0


def readiness(shell: Shell) -> tuple[int, list[str]]:
    answer = requests.get(f"{shell.base}/readyz", timeout=5)
    return answer.status_code, answer.json()["problems"]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
