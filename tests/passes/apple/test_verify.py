"""Our verdict beside that of the openssl command, for a whole pass and for each way to tamper with it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.apple import bundle, cms, der
from passes.apple.building import build
from passes.apple.bundle import Artwork
from passes.apple.identity import Identity
from passes.apple.signing import Signer
from passes.apple.verify import verify, verify_files
from passes.errors import VerificationError
from tests.authority import Authority, PassCertificate
from tests.passes.apple.samples import IMAGES, PASS_TYPE, TEAM, card, openssl_accepts, zipped

NOW = datetime.now(UTC).replace(microsecond=0)
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def home() -> Authority:
    return Authority(now=NOW)


@pytest.fixture(scope="module")
def made(home: Authority) -> PassCertificate:
    return home.issue_pass_certificate(PASS_TYPE, TEAM)


@pytest.fixture(scope="module")
def files(made: PassCertificate) -> Files:
    identity = Identity.from_pem(
        certificate=made.certificate_pem, key=made.key_pem, intermediates=made.intermediate_pem
    )
    return bundle.read(build(card(), Artwork.prepare(IMAGES), Signer.prepare(identity), at=NOW))


def test_a_whole_pass_is_verified_by_us_and_by_openssl(files: Files, made: PassCertificate, tmp_path: Path) -> None:
    report = verify(zipped(files), at=NOW, roots=[made.root])

    assert report.ok
    assert report.findings == ()
    assert report.trusted is True
    assert report.signed_at == NOW
    assert report.certificate == made.certificate
    assert report.intermediate == made.intermediate
    assert openssl_accepts(files["signature"], files["manifest.json"], made.root_pem, tmp_path)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def find(data: bytes, part: bytes) -> int:
    place = data.find(part)
    assert place >= 0
    return place


DIGEST_OID = der.oid("1.2.840.113549.1.9.4")
TIME_OID = der.oid("1.2.840.113549.1.9.5")


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda f: find(f["signature"], DIGEST_OID) + len(DIGEST_OID) + 10, id="message digest"),
        pytest.param(lambda f: find(f["signature"], TIME_OID) + len(TIME_OID) + 9, id="signing time"),
        pytest.param(lambda f: len(f["signature"]) - 100, id="signature value"),
    ],
)
def test_a_changed_signature_is_refused_by_both(
    place: Callable[[Files], int], files: Files, made: PassCertificate, tmp_path: Path
) -> None:
    changed = flipped(files["signature"], place(files))

    assert not verify_files({**files, "signature": changed}, at=NOW, roots=[made.root]).ok
    assert not openssl_accepts(changed, files["manifest.json"], made.root_pem, tmp_path)


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_changed_manifest_is_refused_by_both(place: int, files: Files, made: PassCertificate, tmp_path: Path) -> None:
    manifest = files["manifest.json"]
    changed = flipped(manifest, place % len(manifest))

    report = verify_files({**files, "manifest.json": changed}, at=NOW, roots=[made.root])

    assert "signature-other-manifest" in {finding.code for finding in report.findings}
    assert not openssl_accepts(files["signature"], changed, made.root_pem, tmp_path)


def test_a_manifest_that_was_only_written_again_is_refused(files: Files, made: PassCertificate) -> None:
    again = json.dumps(json.loads(files["manifest.json"]), indent=1).encode()

    report = verify_files({**files, "manifest.json": again}, at=NOW, roots=[made.root])

    assert [finding.code for finding in report.findings] == ["signature-other-manifest"]


@pytest.mark.parametrize("name", ["pass.json", "icon@2x.png"])
def test_a_changed_file_is_refused(name: str, files: Files, made: PassCertificate) -> None:
    report = verify_files({**files, name: flipped(files[name], 30)}, at=NOW, roots=[made.root])

    assert ("manifest-digest-wrong", name) in {(finding.code, finding.where) for finding in report.findings}


def test_no_byte_of_a_signature_can_be_changed(files: Files, made: PassCertificate) -> None:
    signature = files["signature"]

    for at in range(len(signature)):
        report = verify_files({**files, "signature": flipped(signature, at)}, at=NOW, roots=[made.root])
        assert not report.ok, at


def test_another_root_of_the_same_name_is_not_trusted(files: Files, made: PassCertificate, tmp_path: Path) -> None:
    other = Authority(now=NOW)

    report = verify_files(files, at=NOW, roots=[other.root])

    assert report.trusted is False
    assert not report.ok
    assert not openssl_accepts(
        files["signature"], files["manifest.json"], other.issue_pass_certificate().root_pem, tmp_path
    )


@pytest.mark.parametrize("same_name", [True, False])
def test_a_wrong_intermediate_is_refused_by_both(
    same_name: bool, home: Authority, made: PassCertificate, files: Files, tmp_path: Path
) -> None:
    wrong = Authority(now=NOW).intermediate if same_name else home.issue_intermediate("Another generation")
    signer = Signer.prepare(
        Identity(
            certificate=made.certificate,
            key=made.key,
            intermediate=wrong,
            pass_type_identifier=PASS_TYPE,
            team_identifier=TEAM,
        )
    )
    signature = signer.sign(files["manifest.json"], at=NOW)

    report = verify_files({**files, "signature": signature}, at=NOW, roots=[made.root])

    assert {"signature-no-intermediate", "chain-untrusted"} <= {finding.code for finding in report.findings}
    assert not openssl_accepts(signature, files["manifest.json"], made.root_pem, tmp_path)


def test_without_a_root_the_chain_is_followed_to_the_intermediate(files: Files) -> None:
    report = verify_files(files, at=NOW)

    assert report.ok
    assert report.trusted is None


def test_an_expired_chain_is_refused(files: Files, made: PassCertificate) -> None:
    report = verify_files(files, at=NOW + timedelta(days=400), roots=[made.root])

    assert "certificate-not-valid" in {finding.code for finding in report.findings}


def test_a_leaf_that_is_no_authority_cannot_vouch_for_another(made: PassCertificate, files: Files) -> None:
    forged = (
        x509.CertificateBuilder()
        .subject_name(made.certificate.subject)
        .issuer_name(made.certificate.subject)
        .public_key(made.key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(made.key, SHA256())
    )
    signer = Signer.prepare(
        Identity(
            certificate=forged,
            key=made.key,
            intermediate=made.certificate,
            pass_type_identifier=PASS_TYPE,
            team_identifier=TEAM,
        )
    )
    signature = signer.sign(files["manifest.json"], at=NOW)

    report = verify_files({**files, "signature": signature}, at=NOW, roots=[made.root])

    assert {"signature-no-intermediate", "chain-untrusted"} <= {finding.code for finding in report.findings}


def test_an_empty_archive_lacks_everything() -> None:
    report = verify(b"PK\5\6" + bytes(18), at=NOW)

    assert {finding.code for finding in report.findings} == {"manifest-missing", "signature-missing"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_signature_are_parsed_or_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        cms.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30\x80\x00\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x81\x05" + bytes(5),
        b"\x1f\x81\x00",
        b"\x30" * 5000,
        b"-----BEGIN PKCS7-----",
    ],
)
def test_broken_der_is_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        cms.parse(data)


@given(st.integers(min_value=0, max_value=2**160))
def test_integers_round_trip(value: int) -> None:
    assert der.to_int(der.read(der.integer(value))) == value


@given(st.datetimes())
def test_times_round_trip(moment: datetime) -> None:
    aware = moment.replace(microsecond=0, tzinfo=UTC)

    assert der.to_time(der.read(der.time(aware))) == aware
