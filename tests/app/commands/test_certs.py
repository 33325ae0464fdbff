"""Pass certificates by command: the request, Apple's answer, the report, the development authority."""

import json
import stat
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from app.db import Database
from tests import factories
from tests.app.commands.shell import Ended, Shell
from tests.authority import Authority, PassCertificate
from tests.passes.apple.samples import IMAGES, document, openssl_accepts

TYPE, TEAM = "pass.com.example.kahve", "A1B2C3D4E5"


@pytest.fixture(scope="module")
def apple() -> Authority:
    return Authority("Apple")


def requested(shell: Shell, *more: object) -> x509.CertificateSigningRequest:
    done = shell("certs", "csr", TYPE, *more)
    assert done.code == 0, done.err
    file = shell.folder / "certs" / TYPE / "request.certSigningRequest"
    assert str(file) in done.out
    return x509.load_pem_x509_csr(file.read_bytes())


def answered(apple: Authority, request: x509.CertificateSigningRequest, **over: object) -> PassCertificate:
    """What Apple makes of a request: the key is the request's, everything else is Apple's."""
    key = request.public_key()
    assert isinstance(key, RSAPublicKey)
    return apple.issue_pass_certificate(over.pop("pass_type", TYPE), over.pop("team", TEAM), key=Only(key), **over)  # type: ignore[arg-type]


class Only:
    """Apple never sees the private key."""

    def __init__(self, public: RSAPublicKey) -> None:
        self._public = public

    def public_key(self) -> RSAPublicKey:
        return self._public


def imported(shell: Shell, apple: Authority, issued: PassCertificate, *, der: bool = True) -> Ended:
    encoding = Encoding.DER if der else Encoding.PEM
    (shell.folder / "pass.cer").write_bytes(issued.certificate.public_bytes(encoding))
    (shell.folder / "AppleWWDR.cer").write_bytes(apple.intermediate.public_bytes(encoding))
    return shell("certs", "import", "pass.cer", "--intermediate", "AppleWWDR.cer")


def public_key_of(file: Path) -> bytes:
    key = load_pem_private_key(file.read_bytes(), None)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("der", [True, False], ids=["DER", "PEM"])
def test_a_request_and_its_answer_make_passes_that_openssl_accepts(shell: Shell, apple: Authority, der: bool) -> None:
    request = requested(shell, "--email", "me@example.com")
    issued = answered(apple, request)

    done = imported(shell, apple, issued, der=der)

    folder = shell.folder / "certs" / TYPE
    assert request.is_signature_valid
    assert done.out == f"{TYPE} (team {TEAM}) until {issued.certificate.not_valid_after_utc:%Y-%m-%d}.\n"
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == dict.fromkeys(
        ("certificate.pem", "key.pem", "wwdr.pem", "request.certSigningRequest"), 0o600
    )
    assert_builds(shell, folder, apple.root.public_bytes(Encoding.PEM))


def assert_builds(shell: Shell, identity: Path, root_pem: bytes) -> None:
    """`tessera pass build` with that folder makes a pass that openssl accepts against that root and no other."""
    source = shell.folder / "card"
    source.mkdir()
    for name, data in IMAGES.items():
        (source / name).write_bytes(data)
    (source / "pass.json").write_text(json.dumps(document(passTypeIdentifier=TYPE, teamIdentifier=TEAM)))
    built = shell("pass", "build", "card", "--identity", identity, "-o", "out.pkpass")
    assert built.code == 0, built.err + built.out
    with zipfile.ZipFile(shell.folder / "out.pkpass") as archive:
        signature, manifest = archive.read("signature"), archive.read("manifest.json")
    assert openssl_accepts(signature, manifest, root_pem, source)
    assert not openssl_accepts(signature, manifest, Authority("Other").root.public_bytes(Encoding.PEM), source)


def test_renewing_keeps_the_old_key_in_use_until_the_new_certificate_is_here(shell: Shell, apple: Authority) -> None:
    imported(shell, apple, answered(apple, requested(shell)))
    folder = shell.folder / "certs" / TYPE
    old = {name: (folder / name).read_bytes() for name in ("key.pem", "certificate.pem")}

    renewal, asked_again = requested(shell), requested(shell)
    while_waiting = {name: (folder / name).read_bytes() for name in old}
    status = shell("certs", "status")
    done = imported(shell, apple, answered(apple, renewal))

    assert while_waiting == old
    assert status.code == 0
    assert renewal.public_key() == asked_again.public_key()
    assert done.code == 0, done.err
    assert (folder / "key.pem").read_bytes() != old["key.pem"]
    assert not (folder / "key.pem.new").exists()
    assert public_key_of(folder / "key.pem") == renewal.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def test_what_a_renewal_replaces_stands_by_until_it_expires(shell: Shell, apple: Authority) -> None:
    first = answered(apple, requested(shell))
    imported(shell, apple, first)
    folder = shell.folder / "certs" / TYPE
    old = {name: (folder / name).read_bytes() for name in ("certificate.pem", "key.pem", "wwdr.pem")}

    imported(shell, apple, answered(apple, requested(shell)))
    renewed_again = shell("certs", "import", folder / "certificate.pem")
    status = shell("certs", "status")

    kept = folder / "previous"
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == old
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept.iterdir()} == {0o600}
    assert renewed_again.code == 0, "the same certificate twice changes nothing"
    assert f"The one before it stands by until {first.certificate.not_valid_after_utc:%Y-%m-%d}" in status.out


def test_what_does_not_fit_is_refused_and_changes_nothing(shell: Shell, apple: Authority) -> None:
    request = requested(shell)
    before = everything(shell)
    long_ago = apple.now - timedelta(days=500)

    for issued, said in (
        (apple.issue_pass_certificate(TYPE, TEAM), "the private key does not belong to the certificate"),
        (answered(apple, request, pass_type="pass.com.example.other"), "There is no key for pass.com.example.other"),
        (answered(apple, request, not_before=long_ago, not_after=apple.now - timedelta(days=1)), "expired on"),
        (answered(apple, request, not_before=apple.now + timedelta(days=2)), "check the clock"),
        (answered(Authority("Elsewhere"), request), "no intermediate fits"),
        (answered(apple, request, pass_type="com.example.app"), "This is no Pass Type ID certificate"),
        (answered(apple, request, pass_type="pass.../../escape"), "This is no Pass Type ID certificate"),
    ):
        ended = imported(shell, apple, issued)
        assert ended.code == 1
        assert said in ended.line, ended.line
        assert everything(shell) == before


def everything(shell: Shell) -> dict[str, bytes]:
    folder = shell.folder / "certs"
    return {str(file): file.read_bytes() if file.is_file() else b"" for file in sorted(folder.rglob("*"))}


def test_a_certificate_of_another_team_than_the_programmes_is_refused(migrated: Shell, apple: Authority) -> None:
    a_programme(migrated)

    ended = imported(migrated, apple, answered(apple, requested(migrated), team="OTHERTEAM1"))

    assert ended.code == 1
    assert f"belongs to team OTHERTEAM1, not {TEAM}" in ended.line
    assert not (migrated.folder / "certs" / TYPE / "certificate.pem").exists()


def a_programme(shell: Shell) -> None:
    database = Database(shell.environ["TESSERA_DATABASE_URL"])
    with database.unit_of_work() as session:
        factories.programme(session)
    database.close()


def test_files_that_are_no_certificate_are_refused_by_name(shell: Shell) -> None:
    (shell.folder / "a.cer").write_text("hello")

    assert shell("certs", "import", "nowhere.cer").line == "nowhere.cer: No such file or directory"
    assert shell("certs", "import", "a.cer").line.startswith("This file is no certificate; download the .cer file")
    assert shell("certs", "csr", "pass/../../x").line.startswith("pass/../../x is no pass type")
    assert shell("certs", "csr", TYPE, "--email", "şule@example.com").line.startswith("Write the e-mail address in")
    assert not (shell.folder / "certs").exists()


def test_a_key_may_be_encrypted_and_its_password_is_asked_for(shell: Shell, apple: Authority) -> None:
    shell.environ["TESSERA_APPLE_KEY_PASSWORD"] = "sesame"
    request = requested(shell, "--email", "")
    key = (shell.folder / "certs" / TYPE / "key.pem.new").read_bytes()
    issued = answered(apple, request)

    for wrong in ("", "open"):
        shell.environ["TESSERA_APPLE_KEY_PASSWORD"] = wrong
        refused = imported(shell, apple, issued)
        again = shell("certs", "csr", TYPE)
        assert (refused.code, again.code) == (1, 1)
        assert "TESSERA_APPLE_KEY_PASSWORD" in refused.line
        assert "TESSERA_APPLE_KEY_PASSWORD" in again.line
    shell.environ["TESSERA_APPLE_KEY_PASSWORD"] = "sesame"
    accepted = imported(shell, apple, issued)

    assert b"ENCRYPTED" in key
    assert accepted.code == 0, accepted.err
    assert shell("certs", "status").code == 0


def test_a_long_pass_type_gets_a_request_too(shell: Shell) -> None:
    assert shell("certs", "csr", "pass.com." + "a" * 100).code == 0


def test_an_intermediate_of_before_does_not_outlive_its_certificate(shell: Shell, apple: Authority) -> None:
    """A development certificate leaves its own intermediate behind; the renewed one is issued by another."""
    assert shell("certs", "dev", TYPE, "--team", TEAM).code == 0

    done = imported(shell, apple, answered(apple, requested(shell)))
    renewed_without_naming_it = shell("certs", "import", "pass.cer")
    renewal = answered(apple, requested(shell))
    (shell.folder / "pass.cer").write_bytes(renewal.certificate_pem)
    renewed = shell("certs", "import", "pass.cer")

    assert done.code == 0, done.err
    assert renewed_without_naming_it.code == 0
    assert renewed.code == 0, renewed.err
    assert shell("certs", "status").code == 0


def test_status_says_how_long_and_what_to_do(migrated: Shell, apple: Authority) -> None:
    a_programme(migrated)
    missing = migrated("certs", "status")
    request = requested(migrated)
    soon = answered(apple, request, not_after=apple.now + timedelta(days=20, hours=1))
    imported(migrated, apple, soon)
    warned, as_json = migrated("certs", "status"), migrated("certs", "status", "--json")
    write_expired(migrated, apple)
    expired = migrated("certs", "status", "--json")

    assert missing.code == 1
    assert missing.out.startswith(f"broken   Passes of {TYPE} cannot be signed: certificate.pem and key.pem is missing")
    assert warned.code == 0
    assert warned.out.startswith(f"warning  The certificate of {TYPE} is valid until ")
    assert f"tessera certs csr {TYPE}" in warned.out
    [one] = as_json.json()
    assert (one["pass_type"], one["severity"], one["days_left"]) == (TYPE, "warning", 20)
    assert one["expires_at"].startswith(f"{soon.certificate.not_valid_after_utc:%Y-%m-%d}")
    assert expired.code == 1
    [one] = expired.json()
    assert (one["severity"], one["days_left"]) == ("broken", -2)
    assert "expired on" in one["sentence"]


def write_expired(shell: Shell, apple: Authority) -> None:
    key = load_pem_private_key((shell.folder / "certs" / TYPE / "key.pem").read_bytes(), None)
    dates = {"not_before": apple.now - timedelta(days=90), "not_after": apple.now - timedelta(days=1)}
    issued = apple.issue_pass_certificate(TYPE, TEAM, key=key, **dates)  # type: ignore[arg-type]
    (shell.folder / "certs" / TYPE / "certificate.pem").write_bytes(issued.certificate_pem)


def test_status_of_nothing_says_how_to_begin(shell: Shell) -> None:
    ended = shell("certs", "status")

    assert ended.code == 0
    assert ended.out.startswith("No pass type is in use and no certificate is in place; make a request with:")


def test_the_development_authority_makes_passes_and_replaces_only_its_own(shell: Shell, apple: Authority) -> None:
    made = shell("certs", "dev", TYPE, "--team", TEAM)
    again = shell("certs", "dev", TYPE, "--team", TEAM)
    root = shell.folder / "var" / "development-authority" / "root.pem"
    assert (made.code, again.code) == (0, 0)
    assert f"Verify its passes against {root}. Real phones refuse them." in made.out
    assert_builds(shell, shell.folder / "certs" / TYPE, root.read_bytes())
    assert [stat.S_IMODE(key.stat().st_mode) for key in root.parent.glob("*.key")] == [0o600, 0o600]

    imported(shell, apple, answered(apple, requested(shell)))
    before = everything(shell)
    refused = shell("certs", "dev", TYPE, "--team", TEAM)

    assert refused.code == 1
    assert "it stays" in refused.line
    assert everything(shell) == before
    assert shell("certs", "dev", TYPE, "--team", "short").line.startswith("short is no team")
