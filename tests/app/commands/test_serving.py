"""How the parts are started: what is refused, with one line that says what mends it."""

from pathlib import Path

import pytest

from app import cli
from app.outbox.rules import Lane


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
