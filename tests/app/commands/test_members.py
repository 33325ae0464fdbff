"""Members from a file by command."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards import consents, people
from app.cards import service as cards
from app.cards.models import Card, Consent, Member
from app.cli import main
from app.world import World
from tests import factories
from tests.conftest import SECRET

FILE = """name;email;birthday;language;marketing_consent;consent_proof
Ada Can;ada@example.com;04-23;tr;yes;paper form 12
Bora Kaya;bora@example.com;;;yes;
Can Demir;can@example.com;02-30;;no;

;x@example.com;;;;
Eda Su;eda@example.com;;xx;;
"""


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


def brought(text: str, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    Path("members.csv").write_text(text, encoding="utf-8")
    main(["members", "import", "members.csv", "--programme", "kahve", "--json", *more])
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def known(world: World) -> dict[str, Member]:
    with world.database.reading() as session:
        return {people.of(session, one).name: one for one in session.scalars(select(Member))}


def test_a_yes_without_proof_is_kept_as_a_no_and_its_row_says_so(
    installed: World, capsys: pytest.CaptureFixture[str]
) -> None:
    told = brought(FILE, capsys)

    members = known(installed)
    assert (told["taken"], told["refused"]) == (2, 3)
    assert {one["line"]: one["code"] for one in told["rows"]} == {
        3: "taken", 4: "invalid_person", 6: "invalid_person", 7: "invalid_language",
    }  # fmt: skip
    assert "no proof" in told["rows"][0]["text"]
    assert {name: one.marketing_consent for name, one in members.items()} == {"Ada Can": True, "Bora Kaya": False}
    with installed.database.reading() as session:
        answer = consents.history(session, members["Ada Can"].id)[0]
    assert (answer.source, answer.proof) == ("import", "members.csv line 2: paper form 12")


def test_a_file_without_the_column_of_proofs_makes_no_yes(installed: World, capsys: pytest.CaptureFixture[str]) -> None:
    brought("name,email,marketing_consent\nAda Can,ada@example.com,yes\n", capsys)

    with installed.database.reading() as session:
        assert list(session.scalars(select(Consent.granted))) == [False]


def test_again_takes_nobody_twice_and_who_was_forgotten_stays_so(
    installed: World, capsys: pytest.CaptureFixture[str]
) -> None:
    brought(FILE, capsys)
    with installed.database.unit_of_work() as session:
        cards.erase(session, session.scalars(select(Member).order_by(Member.id)).first(), now=factories.NOW)

    told = brought(FILE, capsys)

    assert told["taken"] == 0
    assert [one["code"] for one in told["rows"]][:2] == ["suppressed", "already_member"]


def test_a_dry_run_changes_nothing(installed: World, capsys: pytest.CaptureFixture[str]) -> None:
    told = brought(FILE, capsys, "--dry-run")

    assert (told["taken"], told["refused"], told["dry_run"]) == (2, 3, True)
    with installed.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Card)) == 0


@pytest.mark.parametrize("head", ["", "email\n", "name,shoe\n", "name,name\n"])
def test_a_file_without_the_right_columns_is_refused_whole(
    installed: World, capsys: pytest.CaptureFixture[str], head: str
) -> None:
    Path("members.csv").write_text(head + "Ada,a@example.com\n", encoding="utf-8")

    assert main(["members", "import", "members.csv", "--programme", "kahve"]) == 1
    assert "The first line names the columns" in capsys.readouterr().err
