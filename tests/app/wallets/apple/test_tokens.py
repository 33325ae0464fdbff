"""Bearer tokens: renewed in time, not too often, and the same for all threads."""

from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.wallets.apple.tokens import ProviderTokens
from passes.errors import IdentityError
from tests.conftest import MovableClock

TEAM = "A1B2C3D4E5"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "AuthKey_ABCDE12345.p8"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_a_token_names_key_team_and_time(key_file: Path, clock: MovableClock) -> None:
    token = ProviderTokens(key_file, key_id="ABCDE12345", clock=clock).current(TEAM)

    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "ABCDE12345"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims == {"iss": TEAM, "iat": int(clock().timestamp())}


def test_it_is_kept_for_45_minutes_and_each_team_has_its_own(key_file: Path, clock: MovableClock) -> None:
    tokens = ProviderTokens(key_file, key_id="ABCDE12345", clock=clock)
    first = tokens.current(TEAM)
    clock.advance(minutes=44)

    assert tokens.current(TEAM) == first
    assert tokens.current("OTHERTEAM1") != first
    clock.advance(minutes=1)
    assert tokens.current(TEAM) != first


def test_an_expired_one_is_replaced_once_and_never_within_twenty_minutes(key_file: Path, clock: MovableClock) -> None:
    tokens = ProviderTokens(key_file, key_id="ABCDE12345", clock=clock)
    first = tokens.current(TEAM)

    tokens.renew(TEAM, first)
    too_soon = tokens.current(TEAM)
    clock.advance(minutes=20)
    tokens.renew(TEAM, first)
    second = tokens.current(TEAM)
    tokens.renew(TEAM, first)

    assert too_soon == first
    assert second != first
    assert tokens.current(TEAM) == second


def test_a_file_that_is_no_key_says_so(tmp_path: Path, clock: MovableClock) -> None:
    (tmp_path / "bad.p8").write_text("nonsense")

    with pytest.raises(IdentityError, match=r"\.p8 file cannot be read"):
        ProviderTokens(tmp_path / "bad.p8", key_id="ABCDE12345", clock=clock).current(TEAM)
    with pytest.raises(IdentityError, match="cannot be read"):
        ProviderTokens(tmp_path / "none.p8", key_id="ABCDE12345", clock=clock).current(TEAM)
