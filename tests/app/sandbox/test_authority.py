"""The sandbox's own authority makes what Apple and Google would hand out."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from app.sandbox.authority import PASS_SIGNING, PASS_TYPE_EXTENSION, Authority

PASS_TYPE = "pass.com.example.card"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def only(certificate: x509.Certificate, oid: ObjectIdentifier) -> str:
    return str(certificate.subject.get_attributes_for_oid(oid)[0].value)


def test_a_pass_certificate_is_shaped_like_apples(authority: Authority) -> None:
    folder = authority.issue_pass_identity(PASS_TYPE, "TEAM123456")

    leaf = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    named = leaf.extensions.get_extension_for_oid(PASS_TYPE_EXTENSION).value
    assert only(leaf, NameOID.USER_ID) == PASS_TYPE
    assert only(leaf, NameOID.COMMON_NAME) == f"Pass Type ID: {PASS_TYPE}"
    assert only(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME) == "TEAM123456"
    assert set(purposes) == {PASS_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert named.public_bytes() == b"\x0c" + bytes([len(PASS_TYPE)]) + PASS_TYPE.encode()


def test_the_chain_verifies_by_openssl_and_the_intermediate_is_g4(authority: Authority) -> None:
    folder = authority.issue_pass_identity(PASS_TYPE)

    wwdr = x509.load_pem_x509_certificate((folder / "wwdr.pem").read_bytes())
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(authority.ca_file)]
    command += ["-untrusted", str(folder / "wwdr.pem"), str(folder / "certificate.pem")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert only(wwdr, NameOID.ORGANIZATIONAL_UNIT_NAME) == "G4"


def test_everything_stays_the_same_on_repeat(authority: Authority) -> None:
    folder = authority.issue_pass_identity(PASS_TYPE)
    before = {file: file.read_bytes() for file in authority.folder.rglob("*.pem")}

    again = Authority(authority.folder)

    assert again.issue_pass_identity(PASS_TYPE) == folder
    assert {file: file.read_bytes() for file in authority.folder.rglob("*.pem")} == before


def test_no_file_can_be_read_by_others(authority: Authority) -> None:
    authority.issue_pass_identity(PASS_TYPE)
    authority.service_account("http://127.0.0.1:1/token")
    authority.callback_keys()
    authority.issue_push_key("TEAM123456")
    authority.server_identity()

    modes = {stat.S_IMODE(file.stat().st_mode) for file in authority.folder.rglob("*") if file.is_file()}
    assert modes == {0o600}


def test_the_service_account_follows_the_token_address_and_keeps_its_key(authority: Authority) -> None:
    first = json.loads(authority.service_account("http://127.0.0.1:1/token").read_text())
    second = json.loads(authority.service_account("http://127.0.0.1:2/token").read_text())

    assert second["token_uri"] == "http://127.0.0.1:2/token"
    assert {**second, "token_uri": first["token_uri"]} == first


def test_another_team_gets_another_certificate(authority: Authority) -> None:
    folder = authority.issue_pass_identity("pass.com.example.moved", "TEAM111111")
    authority.issue_pass_identity("pass.com.example.moved", "TEAM222222")

    leaf = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    assert only(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME) == "TEAM222222"
    assert authority.team_of("pass.com.example.moved") == "TEAM222222"


@pytest.mark.parametrize("name", ["", "../escape", ".hidden"])
def test_a_name_that_is_no_identifier_is_refused(authority: Authority, name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="identifier"):
        authority.issue_pass_identity(name)
