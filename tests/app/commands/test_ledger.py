"""The books are verified by command, however long that takes."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, select, text, update

from app.cards.models import Programme
from app.commands import ledger
from app.ledger import verify
from app.ledger.models import Account
from app.world import World
from tests import factories
from tests.bench import movements, seed
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


def asked(*, all: bool = False, json: bool = False) -> argparse.Namespace:
    """What the command line says."""
    return argparse.Namespace(all=all, json=json)


def test_clean_books_are_said_to_be_clean(installed: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger.run_verify(asked()) == 0
    assert ledger.run_audit_verify(argparse.Namespace()) == 0
    said = capsys.readouterr().out
    assert "The ledger adds up." in said
    assert "The audit log is whole" in said


def test_a_balance_that_its_postings_do_not_make_is_named(installed: World, capsys: pytest.CaptureFixture[str]) -> None:
    with installed.database.unit_of_work() as session:
        session.execute(update(Account).where(Account.role == "avail", Account.member_id == 1).values(balance=5))

    assert ledger.run_verify(asked()) == 1
    assert "(avail of points) says 5, its postings sum to 0" in capsys.readouterr().out


def test_it_ends_at_the_first_difference_unless_all_are_wanted(
    installed: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with installed.database.unit_of_work() as session:
        session.execute(update(Account).where(Account.role == "avail").values(balance=5))

    assert [ledger.run_verify(asked(all=every)) for every in (False, True)] == [1, 1]

    said = capsys.readouterr().out.splitlines()
    assert [said[0].count("says 5"), said[1]] == [1, "This is the first difference; --all lists every one."]
    assert said[-1] == "10 differences."  # each of five balances differs from its postings, and from its lots


def test_scripts_read_the_outcome_as_json(installed: World, capsys: pytest.CaptureFixture[str]) -> None:
    with installed.database.reading() as session:
        programme = session.scalars(select(Programme.id)).one()
    movements.write(installed.database, programme, entries=20, now=installed.clock())

    assert ledger.run_verify(asked(json=True)) == 0
    clean = json.loads(capsys.readouterr().out)
    with installed.database.unit_of_work() as session:
        session.execute(text("UPDATE lot SET remaining = 0"))
    assert ledger.run_verify(asked(json=True)) == 1
    broken = json.loads(capsys.readouterr().out)

    assert {key: clean[key] for key in ("clean", "entries", "complete")} == {
        "clean": True,
        "entries": 20,
        "complete": True,
    }
    assert (broken["clean"], broken["complete"], len(broken["differences"])) == (False, False, 1)


def test_what_others_write_meanwhile_is_not_seen(installed: World) -> None:
    """A balance that is written after its postings were summed up would look wrong."""
    with installed.database.reading() as session:
        programme = session.scalars(select(Programme.id)).one()
    movements.write(installed.database, programme, entries=20, now=installed.clock())
    with ledger.reading_at_length(installed.settings) as session:
        before = session.scalar(select(func.sum(Account.balance)))
        with installed.database.unit_of_work() as other:
            other.execute(update(Account).where(Account.role == "avail").values(balance=Account.balance + 1))

        assert session.scalar(select(func.sum(Account.balance))) == before
        assert verify.differences(session) == []
    with installed.database.reading() as session:
        assert verify.differences(session) != []


def test_the_time_limit_of_pages_does_not_cut_verifying_off(installed: World, statements: list[str]) -> None:
    ledger.run_verify(asked())

    limits = [one for one in statements if "SET LOCAL statement_timeout" in one]
    assert limits == ([] if installed.database.is_sqlite else ["SET LOCAL statement_timeout = 0"])
