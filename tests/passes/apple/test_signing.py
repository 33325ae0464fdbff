from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from passes.apple import cms, der
from passes.apple.identity import Identity
from passes.apple.signing import Signer
from passes.errors import IdentityError
from tests.authority import Authority, PassCertificate
from tests.passes.apple.samples import NOW, PASS_TYPE, TEAM, openssl_accepts

# The openssl command judges by the machine's clock, so these certificates are valid by it.
REAL_NOW = datetime.now(UTC).replace(microsecond=0)
MANIFEST = b'{\n  "pass.json": "0000000000000000000000000000000000000000"\n}\n'


@pytest.fixture(scope="module")
def today() -> Authority:
    return Authority(now=REAL_NOW)


@pytest.fixture(scope="module")
def rsa_pass(today: Authority) -> PassCertificate:
    return today.issue_pass_certificate(PASS_TYPE, TEAM)


def signer_of(made: PassCertificate) -> Signer:
    return Signer.prepare(
        Identity.from_pem(certificate=made.certificate_pem, key=made.key_pem, intermediates=made.intermediate_pem)
    )


def test_openssl_accepts_the_signature_of_a_manifest_with_line_feeds(rsa_pass: PassCertificate, tmp_path: Path) -> None:
    signature = signer_of(rsa_pass).sign(MANIFEST, at=REAL_NOW)

    assert openssl_accepts(signature, MANIFEST, rsa_pass.root_pem, tmp_path)


def test_openssl_refuses_another_root_and_another_manifest(rsa_pass: PassCertificate, tmp_path: Path) -> None:
    signature = signer_of(rsa_pass).sign(MANIFEST, at=REAL_NOW)

    assert not openssl_accepts(signature, MANIFEST, Authority(now=REAL_NOW).root.public_bytes(Encoding.PEM), tmp_path)
    assert not openssl_accepts(signature, MANIFEST.replace(b"\n", b"\r\n"), rsa_pass.root_pem, tmp_path)


def test_an_elliptic_curve_key_signs_too(today: Authority, tmp_path: Path) -> None:
    made = today.issue_pass_certificate(PASS_TYPE, TEAM, key=ec.generate_private_key(ec.SECP256R1()))

    signature = signer_of(made).sign(MANIFEST, at=REAL_NOW)

    assert openssl_accepts(signature, MANIFEST, made.root_pem, tmp_path)


def test_the_signature_holds_both_certificates_and_nothing_of_the_manifest(signer: Signer) -> None:
    signature = signer.sign(MANIFEST, at=NOW)

    assert {one.subject for one in pkcs7.load_der_pkcs7_certificates(signature)} == {
        signer.identity.certificate.subject,
        signer.identity.intermediate.subject,
    }
    assert MANIFEST not in signature


def test_the_structure_equals_that_of_the_builder(signer: Signer) -> None:
    own = signer.identity
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(MANIFEST).add_signer(own.certificate, own.key, SHA256())
    theirs = builder.add_certificate(own.intermediate).sign(Encoding.DER, options)
    signed_at = cms.parse(theirs).signed_at
    assert signed_at is not None

    # The builder takes its time from the clock; the same time must give the same parts.
    ours = signer.sign(MANIFEST, at=max(min(signed_at, own.valid_until), own.valid_from))

    def parts(signature: bytes) -> list[object]:
        signed = der.children(der.children(der.children(der.read(signature))[1], der.CONTEXT_0)[0])
        info = der.children(der.children(signed[-1], der.SET)[0])
        attributes = der.children(info[3], der.CONTEXT_0)
        kinds = [der.to_oid(der.children(attribute)[0]) for attribute in attributes]
        certificates = {one.raw for one in der.children(signed[3], der.CONTEXT_0)}
        return [
            signed[0].raw,
            signed[1].raw,
            signed[2].raw,
            certificates,
            *(x.raw for x in info[:3]),
            kinds,
            info[4].raw,
        ]

    assert parts(ours) == parts(theirs)


def test_one_moment_gives_one_signature(signer: Signer) -> None:
    assert signer.sign(MANIFEST, at=NOW) == signer.sign(MANIFEST, at=NOW)
    assert signer.sign(MANIFEST, at=NOW) != signer.sign(MANIFEST, at=NOW + timedelta(seconds=1))


def test_the_signing_time_is_the_one_given_in_any_zone(signer: Signer) -> None:
    local = NOW.astimezone(ZoneInfo("Asia/Jakarta"))

    assert cms.parse(signer.sign(MANIFEST, at=local)).signed_at == NOW


def test_an_expired_certificate_does_not_sign(authority: Authority) -> None:
    made = authority.issue_pass_certificate(PASS_TYPE, TEAM, NOW - timedelta(hours=9), NOW)
    signer = signer_of(made)

    assert signer.sign(MANIFEST, at=NOW)
    with pytest.raises(IdentityError, match="expired on 2026-11-21; renew it"):
        signer.sign(MANIFEST, at=NOW + timedelta(seconds=1))


def test_a_signer_does_not_show_its_key(signer: Signer) -> None:
    assert "key" not in repr(signer).lower().replace("keyidentifier", "")
