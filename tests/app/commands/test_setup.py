"""Setting an installation up by command: database, owner, staff, integrators' keys, the books."""

import fcntl
import sqlite3
import stat
import subprocess

import pytest
import requests

from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.db import Database
from app.vault import Vault, load_secret
from tests import factories
from tests.app.commands.shell import PASSWORD, Shell, wait_for


def rows(shell: Shell, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(shell.folder / "var" / "tessera.db") as connection:
        found: list[tuple[object, ...]] = connection.execute(query).fetchall()
    connection.close()
    return found


def test_init_makes_database_secret_and_owner_once(shell: Shell) -> None:
    first = shell("init", "--email", "owner@example.com", stdin=f"{PASSWORD}\n")
    second = shell("init")

    assert first.code == 0, first.err
    assert first.out.startswith(f"Owner owner@example.com created. Sign in at {shell.base}/login\n")
    assert rows(shell, "SELECT email, role, active FROM staff") == [("owner@example.com", "owner", 1)]
    secret = shell.folder / "var" / "secret.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert second.code == 0
    assert second.out.startswith("There is an owner already; the database is up to date.\n")


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("--email", "owner@example.com"), "short\n", "at least 10 characters"),
        (("--email", "nobody"), f"{PASSWORD}\n", "name@example.com"),
    ],
)
def test_an_owner_that_will_not_do_is_refused_and_nobody_is_made(
    migrated: Shell, arguments: tuple[str, ...], stdin: str, said: str
) -> None:
    ended = migrated("init", *arguments, stdin=stdin)

    assert ended.code == 1
    assert said in ended.line
    assert rows(migrated, "SELECT count(*) FROM staff") == [(0,)]


def test_init_without_anybody_to_ask_makes_the_database_and_says_how_to_add_the_owner(shell: Shell) -> None:
    alone = shell("init")

    assert (alone.code, alone.err) == (0, "")
    assert "tessera user add --email you@example.com --role owner" in alone.out
    assert rows(shell, "SELECT count(*) FROM staff") == [(0,)]
    assert shell("user", "add", "--email", "o@example.com", "--role", "owner", stdin=f"{PASSWORD}\n").code == 0
    assert shell("init").out.startswith("There is an owner already")


def test_two_processes_migrate_a_new_sqlite_database_at_once(shell: Shell) -> None:
    both = [shell.begin("migrate"), shell.begin("migrate")]
    ends = [one.communicate(timeout=60) for one in both]

    assert [one.returncode for one in both] == [0, 0], ends
    assert rows(shell, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_who_migrates_waits_until_another_process_has_done_all_of_it(shell: Shell) -> None:
    file = shell.folder / "var" / "tessera.db"
    file.parent.mkdir(exist_ok=True)
    with (file.parent / "tessera.db-migration").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as whoever came first holds it, also between two migrations
        second = shell.begin("migrate")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=5)
        assert rows(shell, "SELECT name FROM sqlite_master") == []

    assert second.communicate(timeout=60)[1] == b""
    assert second.returncode == 0
    assert rows(shell, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_two_processes_migrate_a_new_postgresql_database_at_once(shell: Shell, postgres: str) -> None:
    admin = Database(postgres)
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS fresh")
        connection.exec_driver_sql("CREATE DATABASE fresh")
    base, _, query = postgres.partition("?")
    shell.environ["TESSERA_DATABASE_URL"] = f"{base.rsplit('/', 1)[0]}/fresh" + (f"?{query}" if query else "")

    both = [shell.begin("migrate"), shell.begin("migrate")]
    ends = [one.communicate(timeout=60) for one in both]

    assert [one.returncode for one in both] == [0, 0], ends
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE fresh")
    admin.close()


def test_a_database_of_a_newer_release_is_refused_by_every_command(migrated: Shell) -> None:
    with sqlite3.connect(migrated.folder / "var" / "tessera.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'")
    connection.close()

    for command in (("migrate",), ("web",), ("apikey", "list")):
        ended = migrated(*command)
        assert ended.code == 1
        assert ended.line.startswith("the database was migrated by a newer release of Tessera")
    assert rows(migrated, "SELECT version_num FROM alembic_version") == [("9999_from_the_future",)]


def test_what_needs_a_database_says_when_it_is_not_migrated_or_no_database(shell: Shell) -> None:
    assert shell("ledger", "verify").line == "the database is not in this release's shape; run: tessera migrate"
    (shell.folder / "junk.db").write_text("this is a text file" * 100)

    for url, said in (
        (f"sqlite:///{shell.folder / 'junk.db'}", "file is not a database"),
        ("postgresql://nobody:hidden@127.0.0.1:1/none", "Connection refused"),
    ):
        ended = shell("migrate", env={"TESSERA_DATABASE_URL": url})
        assert ended.code == 1
        assert said in ended.line
        assert ended.line.endswith("check TESSERA_DATABASE_URL")
        assert "hidden" not in ended.err


def test_folders_that_cannot_be_made_are_named(shell: Shell) -> None:
    (shell.folder / "file").write_text("")

    var = shell("migrate", env={"TESSERA_VAR_DIR": str(shell.folder / "file" / "var")})
    database = shell("migrate", env={"TESSERA_DATABASE_URL": f"sqlite:///{shell.folder / 'file' / 'd' / 't.db'}"})

    assert var.line.startswith("TESSERA_VAR_DIR ")
    assert database.line.startswith("TESSERA_DATABASE_URL cannot be used: ")


def test_staff_are_added_with_a_password_from_standard_input(migrated: Shell) -> None:
    added = migrated("user", "add", "--email", "ece@example.com", "--role", "cashier", stdin=f"{PASSWORD}\r\n")
    again = migrated("user", "add", "--email", "ECE@example.com", "--role", "cashier", stdin=f"{PASSWORD}\n")
    weak = migrated("user", "add", "--email", "b@example.com", "--role", "cashier", stdin="aaaaaaaaaaaa\n")
    lost = migrated("user", "add", "--email", "b@example.com", "--role", "cashier", "--store", "Ay", stdin=PASSWORD)
    king = migrated("user", "add", "--email", "b@example.com", "--role", "king")

    assert added.out == f"ece@example.com can sign in as cashier at {migrated.base}/login\n"
    assert again.line == "Someone with this e-mail address is here already."
    assert weak.line == "Use more different characters; a short sentence is easy to remember."
    assert lost.line == "There is no one store named Ay; name its --programme too."
    assert (again.code, weak.code, lost.code) == (1, 1, 1)
    assert king.code == 2
    assert "invalid choice: 'king'" in king.err
    assert rows(migrated, "SELECT email, role FROM staff") == [("ece@example.com", "cashier")]


def test_a_key_opens_the_api_until_it_is_revoked(migrated: Shell) -> None:
    made = migrated("apikey", "create", "--name", "shop", "--scope", "read", "--json").json()
    migrated.serve("web")
    wait_for(migrated.is_ready)
    door = f"{migrated.base}/api/v1/offers"
    headers = {"Authorization": f"Bearer {made['key']}"}

    before = requests.get(door, headers=headers, timeout=10)
    listed = migrated("apikey", "list", "--json").json()
    revoked = migrated("apikey", "revoke", made["id"])
    after = requests.get(door, headers=headers, timeout=10)

    assert set(made) == {"id", "name", "scope", "key"}
    assert before.status_code == 200
    assert [(one["id"], one["scope"], one["revoked_at"]) for one in listed] == [(made["id"], "read", None)]
    assert made["key"] not in str(listed)
    assert revoked.out == f"{made['id']} is revoked.\n"
    assert after.status_code == 401
    assert "revoked" in migrated("apikey", "list").out
    assert migrated("apikey", "revoke", "key_nobody").code == 1


def test_a_key_is_for_a_programme_that_exists_and_has_a_name(migrated: Shell) -> None:
    assert migrated("apikey", "create", "--name", " ").line.startswith("Name the key after its user")
    assert migrated("apikey", "create", "--name", "x", "--programme", "none").line == (
        "There is no programme named none."
    )
    assert rows(migrated, "SELECT count(*) FROM api_key") == [(0,)]


def test_the_books_are_verified_and_a_change_behind_their_back_is_found(migrated: Shell) -> None:
    secret = load_secret("", migrated.folder / "var")
    database = Database(migrated.environ["TESSERA_DATABASE_URL"], info={"vault": Vault(secret)})
    with database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
        sale = Sale(amount_minor=12500, currency="TRY")
        sales.earn(session, card, sale, by=Actor(name="staff:till", channel="till"), now=factories.NOW)
    database.close()

    clean = migrated("ledger", "verify")
    with sqlite3.connect(migrated.folder / "var" / "tessera.db") as connection:
        connection.execute("UPDATE account SET balance = balance + 1 WHERE balance IS NOT NULL AND balance > 0")
    connection.close()
    tampered = migrated("ledger", "verify")

    assert (clean.code, clean.out) == (0, "The ledger adds up. 1 entries were checked.\n")
    assert tampered.code == 1
    assert "its postings sum to" in tampered.out
    assert "This is the first difference" in tampered.out


@pytest.mark.parametrize("command", ["conformance", "members", ""])
def test_a_command_that_does_not_exist_is_wrong_usage(shell: Shell, command: str) -> None:
    ended = shell(*([command] if command else []))

    assert ended.code == 2
    assert "usage: tessera" in ended.err
    assert "Traceback" not in ended.err
