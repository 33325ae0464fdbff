"""What doctor finds, what it says mends it, and how it ends; the wallets are the sandbox's."""

import json
import shutil
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.commands.doctor import disk_check
from app.db import Database
from app.outbox import pace
from app.outbox import service as outbox
from app.sandbox.sandbox import Sandbox
from app.vault import Vault, load_secret
from tests import factories
from tests.app.commands.shell import Shell
from tests.authority import Authority
from tests.ports import free_port

TYPE, TEAM = "pass.com.example.kahve", "A1B2C3D4E5"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("doctor") / "sandbox") as running:
        running.issue_pass_identity(TYPE, TEAM)
        yield running


@pytest.fixture
def healthy(migrated: Shell, sandbox: Sandbox) -> Shell:
    """An installation that meets the sandbox, with a programme and a member."""
    shutil.copytree(sandbox.folder / "passes", migrated.folder / "certs")
    migrated.environ |= {
        "TESSERA_APNS_URL": sandbox.apns_url,
        "TESSERA_APNS_CA_FILE": str(sandbox.ca_file),
        "TESSERA_GOOGLE_WALLET_URL": sandbox.google_url,
        "TESSERA_GOOGLE_CREDENTIALS": str(sandbox.google_credentials),
        "TESSERA_GOOGLE_ISSUER_ID": sandbox.google_issuer_id,
        "TESSERA_GOOGLE_ROOT_KEYS_URL": sandbox.root_keys_url,
    }
    with open_database(migrated).unit_of_work() as session:
        factories.card(session, factories.programme(session))
    return migrated


def open_database(shell: Shell) -> Database:
    vault = Vault(load_secret("", shell.folder / "var"))
    return Database(shell.environ["TESSERA_DATABASE_URL"], info={"vault": vault})


def examined(shell: Shell, *, code: int, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    ended = shell("doctor", "--json", env=env)
    assert ended.err == ""
    assert ended.code == code, ended.out
    found: list[dict[str, Any]] = json.loads(ended.out)
    assert all(one["hint"] for one in found if one["state"] != "ok"), found
    return found


def broken(shell: Shell, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The one finding that is broken."""
    [one] = [check for check in examined(shell, code=1, env=env) if check["state"] == "broken"]
    return one


def test_a_healthy_installation_has_nothing_broken(healthy: Shell) -> None:
    found = examined(healthy, code=0)
    spoken = healthy("doctor")

    assert {one["subject"] for one in found} == {
        "address", "secret", "database", "queue", "certificate", "apns", "google", "clock", "disk", "service",
    }  # fmt: skip
    assert [one["subject"] for one in found if one["state"] == "warning"] == ["address", "service"]
    assert spoken.code == 0
    assert len(spoken.out.splitlines()) == len(found)
    assert "warning  address: http://127.0.0.1:" in spoken.out
    assert " → put a proxy with a certificate in front" in spoken.out


def test_a_public_address_without_https_is_broken(healthy: Shell) -> None:
    one = broken(healthy, {"TESSERA_BASE_URL": "http://cards.example.com"})

    assert (one["subject"], "TESSERA_BASE_URL=https" in one["hint"]) == ("address", True)
    found = examined(healthy, code=0, env={"TESSERA_BASE_URL": "https://cards.example.com"})
    assert next(one for one in found if one["subject"] == "address")["state"] == "ok"


def test_a_missing_and_an_expired_certificate_are_broken(healthy: Shell) -> None:
    folder = healthy.folder / "certs" / TYPE
    old = Authority(now=datetime.now(UTC) - timedelta(days=500)).issue_pass_certificate(TYPE, TEAM)
    for name, content in (
        ("certificate", old.certificate_pem), ("key", old.key_pem), ("wwdr", old.intermediate_pem),
    ):  # fmt: skip
        (folder / f"{name}.pem").write_bytes(content)
    expired = broken(healthy)
    shutil.rmtree(folder)
    missing = broken(healthy)

    assert expired["subject"] == missing["subject"] == "certificate"
    assert "expired on" in expired["sentence"]
    assert "Renew it: tessera certs csr" in expired["hint"]
    assert "is missing" in missing["sentence"]
    assert str(folder) in missing["hint"]
    assert f"tessera certs csr {TYPE}" in missing["hint"]


def test_a_key_that_others_can_read_is_a_warning(healthy: Shell) -> None:
    key = healthy.folder / "certs" / TYPE / "key.pem"
    key.chmod(0o644)

    found = examined(healthy, code=0)

    assert {"subject": "certificate", "state": "warning", "sentence": f"{key} can be read by others on this machine.",
            "hint": f"chmod 600 {key}"} in found  # fmt: skip


def test_apns_that_cannot_be_reached_or_trusted_is_broken(healthy: Shell, sandbox: Sandbox) -> None:
    nobody = broken(healthy, {"TESSERA_APNS_URL": f"https://127.0.0.1:{free_port()}"})
    stranger = broken(healthy, {"TESSERA_APNS_CA_FILE": ""})

    assert nobody["subject"] == stranger["subject"] == "apns"
    assert "cannot be reached" in nobody["sentence"]
    assert "certificate" in stranger["sentence"]
    assert "TESSERA_APNS_URL" in nobody["hint"]


def test_apns_that_hangs_up_for_want_of_a_certificate_was_reached(healthy: Shell, sandbox: Sandbox) -> None:
    """With TLS 1.2 the handshake itself fails where a client certificate is demanded."""
    demanding = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(sandbox.ca_file))
    demanding.load_cert_chain(*sandbox.authority.server_identity())
    demanding.maximum_version = ssl.TLSVersion.TLSv1_2
    demanding.verify_mode = ssl.CERT_REQUIRED

    def refuse(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as taken, demanding.wrap_socket(taken, server_side=True):
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        found = examined(healthy, env={"TESSERA_APNS_URL": f"https://127.0.0.1:{listener.getsockname()[1]}"}, code=0)

    assert [one["state"] for one in found if one["subject"] == "apns"] == ["ok"]


def test_a_push_key_is_read_before_the_first_push(healthy: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    good = sandbox.issue_push_key(TEAM)
    (tmp_path / "key.p8").write_text("no key")
    names = {"TESSERA_APNS_URL": sandbox.apns_token_url, "TESSERA_APNS_KEY_ID": good.stem.removeprefix("AuthKey_")}

    found = examined(healthy, code=0, env={**names, "TESSERA_APNS_KEY_FILE": str(good)})
    bad = broken(healthy, {**names, "TESSERA_APNS_KEY_FILE": str(tmp_path / "key.p8")})

    assert f"{good} makes push tokens." in [one["sentence"] for one in found]
    assert bad["subject"] == "apns"
    assert ".p8" in bad["sentence"]


def test_google_that_is_not_configured_is_a_warning(healthy: Shell) -> None:
    found = examined(healthy, code=0, env={"TESSERA_GOOGLE_CREDENTIALS": "", "TESSERA_GOOGLE_ISSUER_ID": ""})

    [one] = [check for check in found if check["subject"] == "google"]
    assert (one["state"], one["sentence"]) == ("warning", "Google Wallet is not configured.")
    assert "TESSERA_GOOGLE_CREDENTIALS" in one["hint"]


def test_google_says_who_is_not_invited_and_which_issuer_it_does_not_know(healthy: Shell, sandbox: Sandbox) -> None:
    email = json.loads(sandbox.google_credentials.read_text())["client_email"]
    sandbox.google.invited = False
    try:
        uninvited = broken(healthy)
    finally:
        sandbox.google.invited = True
    unknown = broken(healthy, {"TESSERA_GOOGLE_ISSUER_ID": "3388000000099999999"})

    assert uninvited["subject"] == "google"
    assert f"invite {email}" in uninvited["hint"]
    assert "TESSERA_GOOGLE_ISSUER_ID" in unknown["hint"]


def test_a_google_key_that_is_refused_or_no_key_is_broken(healthy: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    info = json.loads(sandbox.google_credentials.read_text())
    foreign = tmp_path / "foreign.json"
    foreign.write_text(json.dumps({**info, "private_key": Authority().issue_pass_certificate().key_pem.decode()}))
    (tmp_path / "junk.json").write_text("{}")

    refused = broken(healthy, {"TESSERA_GOOGLE_CREDENTIALS": str(foreign)})
    junk = broken(healthy, {"TESSERA_GOOGLE_CREDENTIALS": str(tmp_path / "junk.json")})

    assert "Google does not accept the service account's key" in refused["hint"]
    assert "key file cannot be used" in junk["sentence"]
    assert "PRIVATE" not in refused["sentence"] + junk["sentence"]


def test_google_away_and_its_root_keys_away_are_broken(healthy: Shell, sandbox: Sandbox) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    away = broken(healthy, {"TESSERA_GOOGLE_WALLET_URL": nowhere})
    no_keys = broken(healthy, {"TESSERA_GOOGLE_ROOT_KEYS_URL": nowhere})
    wrong_keys = broken(healthy, {"TESSERA_GOOGLE_ROOT_KEYS_URL": f"{sandbox.google_url}/none"})

    assert [one["subject"] for one in (away, no_keys, wrong_keys)] == ["google"] * 3
    assert "no answer" in away["sentence"]
    assert "TESSERA_GOOGLE_" in no_keys["hint"]
    assert "404" in wrong_keys["sentence"]


def test_a_database_of_another_shape_is_broken_and_its_command_named(healthy: Shell) -> None:
    file = healthy.folder / "var" / "tessera.db"
    empty = broken(healthy, {"TESSERA_DATABASE_URL": f"sqlite:///{healthy.folder / 'empty.db'}"})
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_future'")
    connection.close()
    newer = broken(healthy)
    away = broken(healthy, {"TESSERA_DATABASE_URL": "postgresql://me:hidden@127.0.0.1:1/x"})

    assert (empty["subject"], empty["hint"]) == ("database", "tessera migrate")
    assert (newer["subject"], newer["hint"].startswith("start that release")) == ("database", True)
    assert (away["subject"], "TESSERA_DATABASE_URL" in away["hint"]) == ("database", True)
    assert "hidden" not in json.dumps(away)


def test_a_secret_of_another_database_is_broken(healthy: Shell) -> None:
    one = broken(healthy, {"TESSERA_SECRET_KEY": "another-secret-that-is-long-enough-to-be-one"})

    assert one["subject"] == "secret"
    assert "sealed with another secret" in one["sentence"]
    assert "secret.key" in one["hint"]


def test_cards_that_wait_too_long_are_a_warning(healthy: Shell) -> None:
    database = open_database(healthy)
    a_minute_and_a_half_ago_ms = int((time.time() - 90) * 1000)
    with database.unit_of_work() as session:
        sender = outbox.sender_for(session, "apple", TYPE)
        outbox.ensure_target(
            session, channel="apple", sender_id=sender.id, card_id=1, address_id=1, want=2, done=1,
            now_ms=a_minute_and_a_half_ago_ms,
        )  # fmt: skip
    database.close()

    [one] = [check for check in examined(healthy, code=0) if check["subject"] == "queue"]

    assert one["state"] == "warning"
    assert one["sentence"].startswith("Cards that wait for their phones to be told: 1, the first for 9")


def test_a_sender_that_was_refused_is_broken_with_its_reason(healthy: Shell) -> None:
    database = open_database(healthy)
    with database.unit_of_work() as session:
        sender = outbox.sender_for(session, "apple", TYPE)
        pace.open_until_mended(session, sender.id, "The certificate was revoked.")
    database.close()

    [one] = [check for check in examined(healthy, code=1) if check["subject"] == "delivery"]

    assert (one["state"], one["sentence"]) == (
        "broken",
        f"Nothing is sent for apple {TYPE}: The certificate was revoked.",
    )
    assert "/admin/deliveries" in one["hint"]


def test_a_full_disk_is_broken() -> None:
    assert disk_check(free_bytes=5, total_bytes=100).state == "ok"
    full = disk_check(free_bytes=4, total_bytes=100)

    assert (full.state, full.sentence) == ("broken", "4% of the disk is free.")
    assert full.hint
