"""A private certificate authority shaped like Apple's: root, intermediate, pass certificates.

The leaf carries what Apple's carries: UID and OU in the subject, the pass type in extension
1.2.840.113635.100.6.1.16 and the pass signing purpose 1.2.840.113635.100.4.14.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

PASS_TYPE_EXTENSION = x509.ObjectIdentifier("1.2.840.113635.100.6.1.16")
PASS_SIGNING_PURPOSE = x509.ObjectIdentifier("1.2.840.113635.100.4.14")


@dataclass(frozen=True, kw_only=True)
class PassCertificate:
    """Everything that one pass type needs, as PEM."""

    pass_type: str
    team: str
    certificate: x509.Certificate
    key: Key
    intermediate: x509.Certificate
    root: x509.Certificate

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def intermediate_pem(self) -> bytes:
        return self.intermediate.public_bytes(Encoding.PEM)

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def encrypted_key_pem(self, password: bytes) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))

    def p12(self, password: bytes) -> bytes:
        encryption = BestAvailableEncryption(password)
        return pkcs12.serialize_key_and_certificates(b"pass", self.key, self.certificate, None, encryption)


@dataclass
class Authority:
    """Issues pass certificates; each one made is its own root, unrelated to any other."""

    name: str = "Test"
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def root_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def intermediate_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def root(self) -> x509.Certificate:
        name = _name([(NameOID.ORGANIZATION_NAME, "Tessera tests"), (NameOID.COMMON_NAME, f"{self.name} Root CA")])
        builder = self._builder(name, name, self.root_key, self.root_key, days=3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.add_extension(_ca_usage(), critical=True).sign(self.root_key, SHA256())

    @cached_property
    def intermediate(self) -> x509.Certificate:
        return self.issue_intermediate(f"{self.name} Worldwide Developer Relations Certification Authority")

    def issue_intermediate(self, common_name: str) -> x509.Certificate:
        """Certify the intermediate's key under a name; another name gives a certificate that fits no leaf."""
        name = _name([(NameOID.ORGANIZATION_NAME, "Tessera tests"), (NameOID.COMMON_NAME, common_name)])
        builder = self._builder(name, self.root.subject, self.intermediate_key, self.root_key, days=1825)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return builder.add_extension(_ca_usage(), critical=True).sign(self.root_key, SHA256())

    def issue_pass_certificate(
        self,
        pass_type: str = "pass.test.tessera",
        team: str = "TEAM123456",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        *,
        key: Key | None = None,
        marked: bool = True,
    ) -> PassCertificate:
        """Issue a leaf for one pass type; `marked=False` leaves Apple's extension and purpose out."""
        key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = _name(
            [
                (NameOID.USER_ID, pass_type),
                (NameOID.COMMON_NAME, f"Pass Type ID: {pass_type}"),
                (NameOID.ORGANIZATIONAL_UNIT_NAME, team),
                (NameOID.ORGANIZATION_NAME, "Tessera tests"),
            ]
        )
        builder = self._builder(
            subject, self.intermediate.subject, key, self.intermediate_key, not_before=not_before, not_after=not_after
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_leaf_usage(), critical=True)
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([PASS_SIGNING_PURPOSE] if marked else [])
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if marked:
            text = pass_type.encode()
            value = b"\x0c" + bytes([len(text)]) + text
            builder = builder.add_extension(x509.UnrecognizedExtension(PASS_TYPE_EXTENSION, value), critical=False)
        certificate = builder.sign(self.intermediate_key, SHA256())
        return PassCertificate(
            pass_type=pass_type,
            team=team,
            certificate=certificate,
            key=key,
            intermediate=self.intermediate,
            root=self.root,
        )

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: Key,
        issuer_key: rsa.RSAPrivateKey,
        *,
        days: int = 395,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or self.now - timedelta(days=1))
            .not_valid_after(not_after or self.now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )


@cache
def pass_certificate(
    pass_type: str, team: str, now: datetime, not_before: datetime | None = None, not_after: datetime | None = None
) -> PassCertificate:
    """A certificate of an authority of its own, made once for all who ask for the same: three keys take their time."""
    return Authority(now=now).issue_pass_certificate(pass_type, team, not_before, not_after)


def _name(parts: list[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _ca_usage() -> x509.KeyUsage:
    return _usage(sign=False, certificates=True)


def _leaf_usage() -> x509.KeyUsage:
    return _usage(sign=True, certificates=False)


def _usage(*, sign: bool, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
