"""Unique codes by command."""

import json
from pathlib import Path

import pytest

from app.cli import main
from app.coupons import service
from app.world import World
from tests import factories
from tests.conftest import SECRET


@pytest.fixture
def installed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The settings of the environment name this world; it has a programme."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", world.database.url)
    monkeypatch.setenv("TESSERA_SECRET_KEY", SECRET)
    monkeypatch.setenv("TESSERA_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    with world.database.unit_of_work() as session:
        factories.programme(session)
    return world


def test_codes_are_made_written_once_and_called_back(
    installed: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    flyer = ["--programme", "kahve", "--name", "Flyer", "--points", "5", "--json"]
    assert main(["codes", "make", "5200", *flyer]) == 0
    made = json.loads(capsys.readouterr().out)
    file = tmp_path / "codes.csv"

    assert main(["codes", "export", made["id"], str(file)]) == 0
    assert main(["codes", "export", made["id"], str(tmp_path / "again.csv")]) == 1
    assert main(["codes", "export", made["id"], str(file)]) == 1
    assert main(["codes", "revoke", made["id"]]) == 0

    rows = file.read_text().splitlines()
    assert (made["codes"], made["state"], rows[0], len(set(rows))) == (5_200, "ready", "code", 5_201)
    with installed.database.reading() as session:
        assert service.find(session, 1, rows[1]).batch.state == "revoked"


def test_own_codes_come_in_from_a_file(installed: World, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("code\n7K3M9QX2TDS\n7K3M9QX2TDT\n")
    own = ["codes", "import", str(file), "--programme", "kahve", "--name", "Own", "--points", "5"]

    refused, said = main(own), capsys.readouterr().err
    taken = main([*own, "--skip"])

    assert (refused, taken) == (1, 0)
    assert "row 3 (…2TDT): Its last character does not fit; it would be S." in said
    with installed.database.reading() as session:
        assert service.find(session, 1, "7k3m-9qx2-tds").batch.made == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["make", "1000001", "--programme", "kahve", "--name", "x", "--points", "5"],
        ["make", "5", "--programme", "nowhere", "--name", "x", "--points", "5"],
        ["make", "5", "--programme", "kahve", "--name", "x", "--reward", "rwd_none"],
        ["import", "nothing.csv", "--programme", "kahve", "--name", "x", "--points", "5"],
        ["export", "cpb_none", "x.csv"],
        ["revoke", "cpb_none"],
    ],
)
def test_what_cannot_be_done_is_one_line(
    installed: World, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["codes", *wrong]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert installed.database.is_sqlite
