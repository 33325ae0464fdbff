"""Who signs: the pass certificate, its key, and the intermediate that issued it."""

import base64
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key, pkcs12
from cryptography.x509.oid import NameOID

from passes.errors import IdentityError

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

PASS_TYPE_EXTENSION = x509.ObjectIdentifier("1.2.840.113635.100.6.1.16")
PASS_SIGNING_PURPOSE = x509.ObjectIdentifier("1.2.840.113635.100.4.14")
RSA_BITS_MIN = 2048
_FILE_BYTES_MAX = 256 * 1024
_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A certificate, its private key and its issuer, seen to belong together.

    Load it with `from_pem`, `from_files` or `from_p12`; those check everything except time, which `check_at` does.
    """

    certificate: x509.Certificate
    key: Key = field(repr=False)
    intermediate: x509.Certificate
    pass_type_identifier: str
    team_identifier: str

    @classmethod
    def from_pem(
        cls, *, certificate: bytes, key: bytes, intermediates: bytes, password: bytes | None = None
    ) -> "Identity":
        """Load from PEM or DER bytes.

        Args:
            certificate: the pass certificate, as downloaded (.cer) or PEM.
            key: its private key, encrypted or not.
            intermediates: one or more candidates; the one that issued the certificate is chosen.
            password: for an encrypted key.

        Raises: IdentityError, with all that does not fit and how to mend it.
        """
        return cls._joined(
            read_certificates(certificate, "the pass certificate")[0],
            _private_key(key, password),
            read_certificates(intermediates, "the intermediate certificate"),
        )

    @classmethod
    def from_files(
        cls, *, certificate: Path, key: Path, intermediates: Path, password: bytes | None = None
    ) -> "Identity":
        """Load from files, as `from_pem` does.

        Raises: IdentityError, also for a file that cannot be read.
        """
        return cls.from_pem(
            certificate=_contents(certificate),
            key=_contents(key),
            intermediates=_contents(intermediates),
            password=password,
        )

    @classmethod
    def from_p12(cls, data: bytes, password: bytes | None, *, intermediates: bytes = b"") -> "Identity":
        """Load from a .p12 export; candidates for the intermediate come from the file or are given beside it.

        Raises: IdentityError, with a hint where the file uses ciphers that OpenSSL 3 no longer reads.
        """
        try:
            key, certificate, others = pkcs12.load_key_and_certificates(data, password)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise IdentityError(
                "the .p12 file cannot be opened: the password is wrong, or an older macOS wrote it with RC2 or 3DES; "
                "convert it with: openssl pkcs12 -legacy -in pass.p12 -nodes -out pass.pem"
            ) from None
        if certificate is None or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise IdentityError("the .p12 file lacks the certificate or its key; export both together from Keychain")
        given = read_certificates(intermediates, "the intermediate certificate") if intermediates else []
        return cls._joined(certificate, key, [*others, *given])

    @classmethod
    def _joined(cls, certificate: x509.Certificate, key: Key, candidates: list[x509.Certificate]) -> "Identity":
        issuer = next((one for one in candidates if issued(one, certificate)), None)
        pass_type, team = (
            subject_text(certificate, NameOID.USER_ID),
            subject_text(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME),
        )
        problems = [*_key_problems(certificate, key), *_subject_problems(certificate, pass_type, team)]
        if issuer is None:
            problems.append(_issuer_hint(certificate, candidates))
        if problems or issuer is None:
            raise IdentityError(problems)
        return cls(
            certificate=certificate,
            key=key,
            intermediate=issuer,
            pass_type_identifier=pass_type,
            team_identifier=team,
        )

    @property
    def valid_from(self) -> datetime:
        """The moment from which certificate and intermediate are both valid."""
        return max(self.certificate.not_valid_before_utc, self.intermediate.not_valid_before_utc)

    @property
    def valid_until(self) -> datetime:
        """The moment at which certificate or intermediate expires, whichever is first."""
        return min(self.certificate.not_valid_after_utc, self.intermediate.not_valid_after_utc)

    def days_left(self, at: datetime) -> int:
        """Whole days until expiry; negative afterwards."""
        return (self.valid_until - at).days

    def problems(self, *, at: datetime, pass_type: str | None = None, team: str | None = None) -> tuple[str, ...]:
        """Say why passes of this type and team cannot be signed at a time; empty if they can."""
        found = []
        if pass_type is not None and pass_type != self.pass_type_identifier:
            found.append(
                f"the certificate is for {self.pass_type_identifier}, not for {pass_type}; install the right one"
            )
        if team is not None and team != self.team_identifier:
            found.append(
                f"the certificate belongs to team {self.team_identifier}, not {team}; correct the team identifier"
            )
        for what, one in (("certificate", self.certificate), ("intermediate certificate", self.intermediate)):
            if at < one.not_valid_before_utc:
                found.append(f"the {what} is valid only from {one.not_valid_before_utc:%Y-%m-%d}; check the clock")
            if at > one.not_valid_after_utc:
                found.append(f"the {what} expired on {one.not_valid_after_utc:%Y-%m-%d}; renew it at Apple")
        return tuple(found)

    def check(self, *, at: datetime, pass_type: str | None = None, team: str | None = None) -> None:
        """See that passes of this type and team can be signed at a time.

        Raises: IdentityError, with all of `problems`.
        """
        if found := self.problems(at=at, pass_type=pass_type, team=team):
            raise IdentityError(found)


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a DER certificate, every part of it.

    Raises: ValueError, for a damaged one. `cryptography` parses most parts when they are first asked for, and then
        raises six kinds of errors in the middle of a check.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key())
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise ValueError(str(error)) from None
    return certificate


def read_certificates(data: bytes, what: str) -> list[x509.Certificate]:
    """Read certificates from PEM (any number) or DER (one).

    Raises: IdentityError, which calls the data *what*.
    """
    try:
        if blocks := _PEM_CERTIFICATE.findall(data):
            return [read_certificate(_body(block)) for block in blocks]
        return [read_certificate(data)]
    except ValueError:
        raise IdentityError(f"{what} is neither PEM nor DER; use the .cer file from Apple as it is") from None


def issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether one certificate issued another: names, key identifiers, the right to, and the signature itself."""
    if issuer.subject != certificate.issuer or not _may_issue(issuer):
        return False
    try:
        authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        if authority is not None and authority != own:
            return False
    except x509.ExtensionNotFound:
        pass
    except ValueError:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def pass_type_mark(certificate: x509.Certificate) -> str | None:
    """The pass type in Apple's own extension; None if the certificate is not marked for passes."""
    try:
        value = certificate.extensions.get_extension_for_oid(PASS_TYPE_EXTENSION).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    if not isinstance(value, x509.UnrecognizedExtension):
        return None
    data = value.value
    # A UTF8String or IA5String of less than 128 bytes.
    if len(data) < 2 or data[0] not in {0x0C, 0x16} or data[1] != len(data) - 2:
        return None
    return data[2:].decode("ascii", "replace")


def subject_text(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    """The first text of an attribute in a certificate's subject; "" if there is none."""
    try:
        values = certificate.subject.get_attributes_for_oid(oid)
    except ValueError:
        return ""
    value = values[0].value if values else ""
    return value if isinstance(value, str) else ""


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid
    except ValueError:
        return False


def _contents(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise IdentityError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _FILE_BYTES_MAX:
        raise IdentityError(f"{path} is too large to be a certificate or key")
    return data


def _body(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.split()), validate=True)


def _private_key(data: bytes, password: bytes | None) -> Key:
    load = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
    try:
        key = load(data, password or None)
    except TypeError:
        hint = (
            "the key is not encrypted; leave the password out"
            if password
            else "the key is encrypted; give its password"
        )
        raise IdentityError(hint) from None
    except (ValueError, UnsupportedAlgorithm):
        hint = "the password is wrong, or the file is damaged" if password else "it is no PEM or DER private key"
        raise IdentityError(f"the private key cannot be read: {hint}") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise IdentityError("the private key is neither RSA nor EC; Apple issues pass certificates for RSA 2048")
    return key


def _key_problems(certificate: x509.Certificate, key: Key) -> list[str]:
    try:
        fits = certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    found = [] if fits else ["the private key does not belong to the certificate; use the key made with its request"]
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < RSA_BITS_MIN:
        found.append(f"the RSA key has {key.key_size} bits; Wallet needs {RSA_BITS_MIN}, so make a new request")
    return found


def _subject_problems(certificate: x509.Certificate, pass_type: str, team: str) -> list[str]:
    found = []
    if not pass_type.startswith("pass."):
        found.append(
            "the certificate's subject has no pass type (UID); download a Pass Type ID certificate, not another kind"
        )
    if not team:
        found.append(
            "the certificate's subject has no team (OU); download a Pass Type ID certificate, not another kind"
        )
    mark = pass_type_mark(certificate)
    if mark is not None and mark != pass_type:
        found.append(f"the certificate is marked for {mark} but its subject says {pass_type}; download it again")
    return found


def _issuer_hint(certificate: x509.Certificate, candidates: list[x509.Certificate]) -> str:
    wanted = certificate.issuer.rfc4514_string()
    if any(one.subject == certificate.issuer for one in candidates):
        return (
            f"no intermediate fits: {wanted} was given, but its key did not sign the certificate. Download both again"
        )
    given = " and ".join(one.subject.rfc4514_string() for one in candidates) or "none was given"
    return f"no intermediate fits: the certificate was issued by {wanted}; given: {given}. Get it from Apple's PKI page"
