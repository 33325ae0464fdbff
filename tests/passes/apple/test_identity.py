from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from passes.apple.identity import Identity, issued, pass_type_mark
from passes.errors import IdentityError
from tests.authority import Authority, PassCertificate
from tests.passes.apple.samples import NOW, PASS_TYPE, TEAM


def load(made: PassCertificate, **changes: bytes | None) -> Identity:
    given = {"certificate": made.certificate_pem, "key": made.key_pem, "intermediates": made.intermediate_pem}
    return Identity.from_pem(**(given | changes))  # type: ignore[arg-type]


def test_a_fitting_set_is_loaded_from_pem(certificate: PassCertificate) -> None:
    identity = load(certificate)

    assert (identity.pass_type_identifier, identity.team_identifier) == (PASS_TYPE, TEAM)
    assert identity.intermediate == certificate.intermediate
    assert identity.days_left(NOW) == 395
    assert identity.problems(at=NOW, pass_type=PASS_TYPE, team=TEAM) == ()


def test_der_files_as_apple_sends_them_are_loaded(certificate: PassCertificate) -> None:
    der = certificate.certificate.public_bytes(Encoding.DER)
    key = certificate.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    identity = load(
        certificate, certificate=der, key=key, intermediates=certificate.intermediate.public_bytes(Encoding.DER)
    )

    assert identity.pass_type_identifier == PASS_TYPE


def test_an_encrypted_key_needs_its_password(certificate: PassCertificate) -> None:
    key = certificate.encrypted_key_pem(b"secret")

    assert load(certificate, key=key, password=b"secret")
    for password, told in ((None, "is encrypted; give its password"), (b"wrong", "the password is wrong")):
        with pytest.raises(IdentityError, match=told):
            load(certificate, key=key, password=password)
    with pytest.raises(IdentityError, match="is not encrypted; leave the password out"):
        load(certificate, password=b"secret")


def test_the_right_intermediate_is_chosen_among_several(
    certificate: PassCertificate, authority: Authority, stranger: Authority
) -> None:
    others = [stranger.intermediate, authority.issue_intermediate("Another generation"), certificate.intermediate]

    identity = load(certificate, intermediates=b"".join(one.public_bytes(Encoding.PEM) for one in others))

    assert identity.intermediate == certificate.intermediate


def test_a_wrong_intermediate_is_refused_with_both_names(
    certificate: PassCertificate, authority: Authority, stranger: Authority
) -> None:
    other = authority.issue_intermediate("Another generation").public_bytes(Encoding.PEM)

    with pytest.raises(IdentityError, match=r"issued by CN=Test Worldwide.*given: CN=Another generation"):
        load(certificate, intermediates=other)
    with pytest.raises(IdentityError, match=r"no intermediate fits: CN=Test Worldwide.*its key did not sign"):
        load(certificate, intermediates=stranger.intermediate.public_bytes(Encoding.PEM))


def test_all_problems_are_told_at_once(authority: Authority, stranger: Authority) -> None:
    weak = authority.issue_pass_certificate(
        "com.example.app", "", key=rsa.generate_private_key(public_exponent=65537, key_size=1024)
    )
    other_key = stranger.issue_pass_certificate().key_pem

    with pytest.raises(IdentityError) as caught:
        load(weak, key=other_key, intermediates=stranger.intermediate.public_bytes(Encoding.PEM))

    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    for part in ("does not belong to the certificate", "no pass type (UID)", "no team (OU)", "no intermediate fits"):
        assert part in told


def test_a_short_key_and_a_wrong_kind_of_key_are_refused(authority: Authority, certificate: PassCertificate) -> None:
    weak = authority.issue_pass_certificate(key=rsa.generate_private_key(public_exponent=65537, key_size=1024))
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(IdentityError, match="has 1024 bits"):
        load(weak)
    with pytest.raises(IdentityError, match="neither RSA nor EC"):
        load(certificate, key=edwards)


@pytest.mark.parametrize("part", ["certificate", "key", "intermediates"])
@pytest.mark.parametrize("wrong", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_damaged_file_is_refused(part: str, wrong: bytes, certificate: PassCertificate) -> None:
    with pytest.raises(IdentityError):
        load(certificate, **{part: wrong})


def test_expiry_is_judged_at_the_given_moment(certificate: PassCertificate) -> None:
    identity = load(certificate)

    identity.check(at=NOW)
    with pytest.raises(IdentityError, match="certificate expired on 2027-12-21; renew it"):
        identity.check(at=NOW + timedelta(days=396))
    with pytest.raises(IdentityError, match="valid only from"):
        identity.check(at=NOW - timedelta(days=2))
    assert identity.days_left(NOW + timedelta(days=396)) == -1


def test_another_pass_type_and_team_are_told(certificate: PassCertificate) -> None:
    told = load(certificate).problems(at=NOW, pass_type="pass.other", team="OTHERTEAM1")

    assert [part[:40] for part in told] == [
        f"the certificate is for {PASS_TYPE}, not for pass.other"[:40],
        f"the certificate belongs to team {TEAM}, not OTHERTEAM1"[:40],
    ]


def test_a_p12_with_its_password_is_loaded(certificate: PassCertificate) -> None:
    identity = Identity.from_p12(certificate.p12(b"secret"), b"secret", intermediates=certificate.intermediate_pem)

    assert identity.pass_type_identifier == PASS_TYPE
    with pytest.raises(IdentityError, match="openssl pkcs12 -legacy"):
        Identity.from_p12(certificate.p12(b"secret"), b"wrong", intermediates=certificate.intermediate_pem)
    with pytest.raises(IdentityError, match="openssl pkcs12 -legacy"):
        Identity.from_p12(b"junk", b"secret")
    with pytest.raises(IdentityError, match="none was given"):
        Identity.from_p12(certificate.p12(b"secret"), b"secret")


def test_files_are_loaded_and_a_missing_one_is_named(certificate: PassCertificate, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.pem" for name in ("certificate", "key", "intermediates")}
    paths["certificate"].write_bytes(certificate.certificate_pem)
    paths["key"].write_bytes(certificate.key_pem)

    with pytest.raises(IdentityError, match=r"intermediates\.pem cannot be read: No such file"):
        Identity.from_files(**paths)
    paths["intermediates"].write_bytes(certificate.intermediate_pem)
    assert Identity.from_files(**paths).team_identifier == TEAM


def test_a_key_is_never_shown(certificate: PassCertificate) -> None:
    assert "PrivateKey" not in repr(load(certificate))


def test_a_leaf_cannot_issue(certificate: PassCertificate, authority: Authority) -> None:
    assert issued(certificate.intermediate, certificate.certificate)
    assert not issued(certificate.certificate, certificate.certificate)
    assert not issued(authority.root, certificate.certificate)


def test_the_mark_for_passes_is_read(certificate: PassCertificate, authority: Authority) -> None:
    assert pass_type_mark(certificate.certificate) == PASS_TYPE
    assert pass_type_mark(authority.issue_pass_certificate(marked=False).certificate) is None
    assert pass_type_mark(authority.root) is None


def test_an_elliptic_curve_identity_is_loaded(authority: Authority) -> None:
    assert load(authority.issue_pass_certificate(key=ec.generate_private_key(ec.SECP256R1())))
