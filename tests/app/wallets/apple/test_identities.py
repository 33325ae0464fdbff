"""Certificates on disk: found, judged, taken up when they change, and described in words."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from app.errors import Busy
from app.wallets.apple.identities import SHIPPED_INTERMEDIATE, Identities, Severity
from tests.authority import Authority, PassCertificate

TYPE, TEAM = "pass.test.tessera", "TEAM123456"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def good(authority: Authority) -> PassCertificate:
    return authority.issue_pass_certificate(TYPE, TEAM)


def put(folder: Path, issued: PassCertificate, *, password: bytes | None = None) -> Path:
    own = folder / issued.pass_type
    own.mkdir(parents=True, exist_ok=True)
    (own / "certificate.pem").write_bytes(issued.certificate_pem)
    (own / "key.pem").write_bytes(issued.encrypted_key_pem(password) if password else issued.key_pem)
    (own / "wwdr.pem").write_bytes(issued.intermediate_pem)
    return own


def test_a_good_certificate_signs(tmp_path: Path, authority: Authority, good: PassCertificate) -> None:
    put(tmp_path, good)

    signer = Identities(tmp_path).signer(TYPE, at=authority.now, team=TEAM)

    assert signer.identity.pass_type_identifier == TYPE


def test_an_encrypted_key_opens_with_the_password_and_a_plain_one_does_not_mind_it(
    tmp_path: Path, authority: Authority, good: PassCertificate
) -> None:
    put(tmp_path / "plain", good)
    put(tmp_path / "encrypted", good, password=b"sesame")

    assert Identities(tmp_path / "plain", password="sesame").signer(TYPE, at=authority.now)
    assert Identities(tmp_path / "encrypted", password="sesame").signer(TYPE, at=authority.now)
    with pytest.raises(Busy, match="password"):
        Identities(tmp_path / "encrypted").signer(TYPE, at=authority.now)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: (own / "certificate.pem").unlink(), "certificate.pem is missing"),
        (lambda own: (own / "key.pem").unlink(), "key.pem is missing"),
        (lambda own: (own / "key.pem").write_bytes(b"nonsense"), "private key cannot be read"),
        (lambda own: (own / "certificate.pem").write_bytes(b"nonsense"), "neither PEM nor DER"),
        (lambda own: (own / "wwdr.pem").unlink(), "no intermediate fits"),
    ],
)
def test_what_is_wrong_is_said_with_its_mending(
    spoil: object, words: str, tmp_path: Path, authority: Authority, good: PassCertificate
) -> None:
    own = put(tmp_path, good)
    spoil(own)  # type: ignore[operator]
    identities = Identities(tmp_path)

    with pytest.raises(Busy) as refusal:
        identities.signer(TYPE, at=authority.now)
    (finding,) = identities.problems([(TYPE, TEAM)], at=authority.now)

    assert words in refusal.value.public
    assert str(tmp_path) not in refusal.value.public, "customers read it"
    assert (finding.severity, finding.days_left) == (Severity.BROKEN, None)
    assert words in finding.sentence
    assert "tessera certs" in finding.hint


def test_another_team_or_type_is_refused(tmp_path: Path, authority: Authority, good: PassCertificate) -> None:
    own = put(tmp_path, good)
    own.rename(tmp_path / "pass.test.other")
    identities = Identities(tmp_path)

    with pytest.raises(Busy, match=r"is for pass\.test\.tessera, not for pass\.test\.other"):
        identities.signer("pass.test.other", at=authority.now)
    (tmp_path / "pass.test.other").rename(own)
    with pytest.raises(Busy, match="belongs to team TEAM123456"):
        identities.signer(TYPE, at=authority.now, team="OTHERTEAM1")


@pytest.mark.parametrize("name", ["../etc", "pass.", "", "pass.a/b", "x" * 300])
def test_a_name_that_is_no_pass_type_never_becomes_a_path(name: str, tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(Busy, match="no pass type identifier"):
        Identities(tmp_path).signer(name, at=authority.now)


def test_days_left_are_counted_and_warned_of(tmp_path: Path, authority: Authority, good: PassCertificate) -> None:
    put(tmp_path, good)
    identities = Identities(tmp_path)
    ends_at = good.certificate.not_valid_after_utc
    moments = [authority.now, ends_at - timedelta(days=30), ends_at + timedelta(days=2)]

    findings = [identities.problems([(TYPE, TEAM)], at=moment)[0] for moment in moments]

    assert [one.severity for one in findings] == [Severity.FINE, Severity.WARNING, Severity.BROKEN]
    assert [one.days_left for one in findings[1:]] == [30, -2]
    assert "expired" in findings[2].sentence
    assert "The till goes on" in findings[2].hint


def test_a_changed_file_is_taken_up_at_the_next_use(
    tmp_path: Path, authority: Authority, good: PassCertificate
) -> None:
    put(tmp_path, good)
    identities = Identities(tmp_path)
    before = identities.credential(TYPE, at=authority.now)

    put(tmp_path, authority.issue_pass_certificate(TYPE, TEAM))

    after = identities.credential(TYPE, at=authority.now)
    assert after.fingerprint != before.fingerprint
    assert identities.credential(TYPE, at=authority.now) is after


def test_the_shipped_intermediate_is_apples_g4() -> None:
    shipped = x509.load_pem_x509_certificate(SHIPPED_INTERMEDIATE.read_bytes())

    assert shipped.fingerprint(SHA256()).hex() == "ea4757885538dd8cb59ff4556f676087d83c85e70902c122e42c0808b5bce14c"


def renewed(folder: Path, authority: Authority, good: PassCertificate, **over: object) -> Path:
    """The folder of a pass type whose certificate has been renewed while the old one is valid."""
    own = put(folder, good)
    (own / "previous").mkdir()
    for file in ("certificate.pem", "key.pem", "wwdr.pem"):
        (own / file).rename(own / "previous" / file)
    return put(folder, authority.issue_pass_certificate(TYPE, TEAM, **over))  # type: ignore[arg-type]


def test_at_a_renewal_the_new_certificate_signs_and_the_old_one_stands_by(
    tmp_path: Path, authority: Authority, good: PassCertificate
) -> None:
    own = renewed(tmp_path, authority, good)
    identities = Identities(tmp_path)

    newest, before = identities.credentials(TYPE, at=authority.now, team=TEAM)
    (finding,) = identities.problems([(TYPE, TEAM)], at=authority.now)

    assert before.signer.identity.certificate == good.certificate
    assert identities.credential(TYPE, at=authority.now).fingerprint == newest.fingerprint
    assert newest.signer.identity.certificate == x509.load_pem_x509_certificate((own / "certificate.pem").read_bytes())
    assert finding.severity is Severity.FINE
    assert f"stands by until {good.certificate.not_valid_after_utc:%Y-%m-%d}" in finding.standby


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: (own / "certificate.pem").unlink(), "certificate.pem is missing"),
        (lambda own: (own / "key.pem").write_bytes((own / "previous" / "key.pem").read_bytes()), "does not belong"),
    ],
)
def test_the_old_certificate_goes_on_signing_where_the_new_one_cannot_be_used(
    spoil: object, words: str, tmp_path: Path, authority: Authority, good: PassCertificate
) -> None:
    spoil(renewed(tmp_path, authority, good))  # type: ignore[operator]
    identities = Identities(tmp_path)

    credential = identities.credential(TYPE, at=authority.now, team=TEAM)
    finding = identities.finding(TYPE, at=authority.now, team=TEAM)

    assert credential.signer.identity.certificate == good.certificate
    assert finding.severity is Severity.WARNING
    assert words in finding.sentence
    assert "The one before it signs until" in finding.sentence


def test_an_expired_certificate_does_not_stand_by(tmp_path: Path, authority: Authority, good: PassCertificate) -> None:
    ends_at = good.certificate.not_valid_after_utc
    renewed(tmp_path, authority, good, not_after=ends_at + timedelta(days=200))
    identities = Identities(tmp_path)

    found = identities.credentials(TYPE, at=ends_at + timedelta(days=1), team=TEAM)

    assert len(found) == 1
    assert identities.finding(TYPE, at=ends_at + timedelta(days=1)).standby == ""
