"""Keys apart from the database: what is sealed opens only under its secret, and two starts end with one secret."""

import multiprocessing
import stat
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.vault import Vault, load_secret

SECRET = "a-secret-for-tests-of-at-least-32-characters"


def test_what_is_sealed_opens_again_and_never_looks_the_same_twice() -> None:
    vault = Vault(SECRET)

    one, other = vault.seal("Ayşe".encode()), vault.seal("Ayşe".encode())

    assert one != other
    assert vault.open(one) == vault.open(other) == "Ayşe".encode()
    assert "Ayşe".encode() not in one


def test_another_secret_opens_nothing_and_says_so() -> None:
    sealed = Vault(SECRET).seal(b"Ece")

    with pytest.raises(ConfigurationError, match="another TESSERA_SECRET_KEY"):
        Vault(SECRET + "x").open(sealed)


@pytest.mark.parametrize("place", [0, 1, 12, 13, -1], ids=["version", "nonce", "last of nonce", "text", "tag"])
def test_a_changed_byte_anywhere_is_refused(place: int) -> None:
    vault = Vault(SECRET)
    sealed = bytearray(vault.seal(b"Ece"))
    sealed[place] ^= 1

    with pytest.raises(ConfigurationError):
        vault.open(bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 12, b"\x01" * 28])
def test_what_was_never_sealed_is_refused(sealed: bytes) -> None:
    with pytest.raises(ConfigurationError):
        Vault(SECRET).open(sealed)


def test_a_digest_finds_a_value_again_and_is_of_this_installation_alone() -> None:
    assert Vault(SECRET).blind("1:email:a@example.com") == Vault(SECRET).blind("1:email:a@example.com")
    assert Vault(SECRET).blind("1:email:a@example.com") != Vault(SECRET).blind("2:email:a@example.com")
    assert Vault(SECRET).blind("1:email:a@example.com") != Vault(SECRET + "x").blind("1:email:a@example.com")


def test_each_purpose_has_a_key_of_its_own() -> None:
    vault = Vault(SECRET)

    keys = {vault.key_for(purpose) for purpose in ("fields", "blind-index", "apple-pass-token", "session")}

    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


def test_a_configured_secret_makes_no_file(tmp_path: Path) -> None:
    assert load_secret(SECRET, tmp_path / "var") == SECRET
    assert not (tmp_path / "var").exists()


def test_a_made_secret_is_kept_for_this_user_alone(tmp_path: Path) -> None:
    first = load_secret("", tmp_path / "var")

    assert load_secret("", tmp_path / "var") == first
    assert len(first) >= 64
    assert stat.S_IMODE((tmp_path / "var" / "secret.key").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "var").iterdir()] == ["secret.key"]


def test_processes_that_start_together_end_with_one_secret(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    with spawned.Pool(3) as pool:
        found = pool.starmap(load_secret, [("", tmp_path / str(n // 6)) for n in range(30)], chunksize=1)

    assert len(set(found)) == 5


@pytest.mark.parametrize("content", ["", "short\n"])
def test_a_kept_secret_that_is_too_short_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret.key").write_text(content)

    with pytest.raises(ConfigurationError, match=r"secret\.key"):
        load_secret("", tmp_path)
