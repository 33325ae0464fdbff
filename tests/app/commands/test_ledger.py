"""The books are verified by command, however long that takes."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, update

from app.commands import ledger
from app.ledger.models import Account
from app.world import World
from tests import factories
from tests.bench import seed
from tests.conftest import SECRET


@pytest.fixture
def installed(any_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The settings of the environment name this world; it has some members."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", any_world.database.url)
    monkeypatch.setenv("TESSERA_SECRET_KEY", SECRET)
    monkeypatch.setenv("TESSERA_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session).id
    seed.seed(any_world.database, seed.Crowd(programme_id=programme, cards=5), now=any_world.clock())
    return any_world


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What any engine sends meanwhile."""
    made: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        made.append(statement)

    event.listen(Engine, "before_cursor_execute", keep)
    yield made
    event.remove(Engine, "before_cursor_execute", keep)


def test_clean_books_are_said_to_be_clean(installed: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger.run_verify(argparse.Namespace()) == 0
    assert ledger.run_audit_verify(argparse.Namespace()) == 0
    said = capsys.readouterr().out
    assert "The ledger adds up." in said
    assert "The audit log is whole" in said


def test_a_balance_that_its_postings_do_not_make_is_named(installed: World, capsys: pytest.CaptureFixture[str]) -> None:
    with installed.database.unit_of_work() as session:
        session.execute(update(Account).where(Account.role == "avail", Account.member_id == 1).values(balance=5))

    assert ledger.run_verify(argparse.Namespace()) == 1
    assert "(avail) says 5, its postings sum to 0" in capsys.readouterr().out


def test_the_time_limit_of_pages_does_not_cut_verifying_off(installed: World, statements: list[str]) -> None:
    ledger.run_verify(argparse.Namespace())

    limits = [one for one in statements if "statement_timeout" in one]
    assert limits == ([] if installed.database.is_sqlite else ["SET LOCAL statement_timeout = 0"])
