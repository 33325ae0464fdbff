"""The sandbox's own certificate authority and keys, in a folder: what Apple and Google would hand out."""

import base64
import contextlib
import hashlib
import ipaddress
import json
import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Extension = tuple[x509.ExtensionType, bool]

PASS_TYPE_EXTENSION = ObjectIdentifier("1.2.840.113635.100.6.1.16")
PASS_SIGNING = ObjectIdentifier("1.2.840.113635.100.4.14")
GOOGLE_PROJECT = "tessera-sandbox"


class Authority:
    """Makes each certificate and key once, keeps it in *folder*, and gives the same one afterwards.

    Two processes must not make the same folder at the same time.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._clock = clock
        for room in ("authority", "passes", "push", "google"):
            (folder / room).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root_key = self._rsa("authority/root.key.pem")
        self._wwdr_key = self._rsa("authority/wwdr.key.pem")
        self.ca_file = folder / "authority" / "root.pem"
        self.wwdr_file = folder / "authority" / "wwdr.pem"
        if not self.ca_file.exists():
            self._make_root()
        if not self.wwdr_file.exists():
            self._make_wwdr()
        self.root = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        self.wwdr = x509.load_pem_x509_certificate(self.wwdr_file.read_bytes())

    def issue_pass_identity(
        self,
        pass_type: str,
        team: str = "TEAM123456",
        *,
        organization: str = "Tessera Sandbox",
        valid_days: float = 395,
        renew: bool = False,
    ) -> Path:
        """The folder with certificate.pem, key.pem and wwdr.pem for *pass_type*, shaped like Apple's.

        The same identity on repeat, unless the team differs or *renew* asks for a new one. A negative *valid_days*
        gives a certificate that ended that many days ago.
        """
        folder = self.folder / "passes" / _plain(pass_type)
        folder.mkdir(exist_ok=True, mode=0o700)
        leaf_file = folder / "certificate.pem"
        if leaf_file.exists() and not renew and _team(leaf_file) == team:
            return folder
        key = self._rsa(f"passes/{pass_type}/key.pem", renew=renew)
        subject = _name(
            (NameOID.USER_ID, pass_type),
            (NameOID.COMMON_NAME, f"Pass Type ID: {pass_type}"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, team),
            (NameOID.ORGANIZATION_NAME, organization),
            (NameOID.COUNTRY_NAME, "US"),
        )
        der = pass_type.encode()
        extensions: list[Extension] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, PASS_SIGNING]), False),
            (x509.UnrecognizedExtension(PASS_TYPE_EXTENSION, b"\x0c" + _der_length(len(der)) + der), False),
        ]
        leaf = self._certificate(subject, key, self.wwdr, self._wwdr_key, extensions, valid_days=valid_days)
        _write(folder / "wwdr.pem", self.wwdr_file.read_bytes())
        _write(leaf_file, leaf)
        return folder

    def team_of(self, pass_type: str) -> str | None:
        """The team that this authority issued *pass_type* to, or None."""
        file = self.folder / "passes" / pass_type / "certificate.pem"
        return _team(file) if "/" not in pass_type and file.exists() else None

    def server_identity(self) -> tuple[Path, Path]:
        """Certificate and key for TLS servers on localhost and 127.0.0.1, signed by the root."""
        certificate_file = self.folder / "authority" / "apns.pem"
        key = self._ec("authority/apns.key.pem")
        if not certificate_file.exists():
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            extensions: list[Extension] = [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (_usage(signs=True), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.SubjectAlternativeName(names), False),
            ]
            subject = _name((NameOID.COMMON_NAME, "api.push.sandbox.test"))
            _write(certificate_file, self._certificate(subject, key, self.root, self._root_key, extensions))
        return certificate_file, self.folder / "authority" / "apns.key.pem"

    def issue_push_key(self, team: str) -> Path:
        """AuthKey_<key id>.p8 of *team*: the other way to sign in to APNs. One for each team."""
        key_id = base64.b32encode(hashlib.sha256(team.encode()).digest())[:10].decode()
        name = f"push/{_plain(team)}/AuthKey_{key_id}.p8"
        (self.folder / "push" / team).mkdir(exist_ok=True, mode=0o700)
        self._ec(name)
        return self.folder / name

    def push_keys(self) -> dict[str, tuple[str, ec.EllipticCurvePublicKey]]:
        """Key id -> (team, public key), of every push key issued."""
        found: dict[str, tuple[str, ec.EllipticCurvePublicKey]] = {}
        for file in (self.folder / "push").glob("*/AuthKey_*.p8"):
            key = serialization.load_pem_private_key(file.read_bytes(), None)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                found[file.stem.removeprefix("AuthKey_")] = (file.parent.name, key.public_key())
        return found

    def service_account(self, token_uri: str) -> Path:
        """Google's service account file; the key stays, `token_uri` follows the address given."""
        file = self.folder / "google" / "service-account.json"
        key = self._rsa("google/service-account.key.pem")
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        email = f"wallet@{GOOGLE_PROJECT}.iam.gserviceaccount.com"
        account = {
            "type": "service_account",
            "project_id": GOOGLE_PROJECT,
            "private_key_id": hashlib.sha1(public, usedforsecurity=False).hexdigest(),
            "private_key": (self.folder / "google" / "service-account.key.pem").read_text(),
            "client_email": email,
            "client_id": "100000000000000000001",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        }
        _write(file, json.dumps(account, indent=2).encode())
        return file

    def callback_keys(self) -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey]:
        """Root and intermediate P-256 keys with which the Google stand-in signs its callbacks."""
        return self._ec("google/callback-root.key.pem"), self._ec("google/callback-intermediate.key.pem")

    def _make_root(self) -> None:
        subject = _name((NameOID.COMMON_NAME, "Sandbox Root CA"), (NameOID.ORGANIZATION_NAME, "Tessera Sandbox"))
        extensions: list[Extension] = [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_usage(certifies=True), True),
        ]
        _write(self.ca_file, self._certificate(subject, self._root_key, None, self._root_key, extensions))

    def _make_wwdr(self) -> None:
        root = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        subject = _name(
            (NameOID.COMMON_NAME, "Apple Worldwide Developer Relations Certification Authority"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "G4"),
            (NameOID.ORGANIZATION_NAME, "Tessera Sandbox"),
            (NameOID.COUNTRY_NAME, "US"),
        )
        extensions: list[Extension] = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(certifies=True), True),
        ]
        _write(self.wwdr_file, self._certificate(subject, self._wwdr_key, root, self._root_key, extensions))

    def _certificate(
        self,
        subject: x509.Name,
        key: PrivateKey,
        issuer: x509.Certificate | None,
        issuer_key: PrivateKey,
        extensions: Iterable[Extension],
        *,
        valid_days: float = 3650,
    ) -> bytes:
        now = datetime.fromtimestamp(self._clock(), UTC).replace(microsecond=0)
        start = now - timedelta(hours=1) if valid_days > 0 else now + timedelta(days=valid_days - 365)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now + timedelta(days=valid_days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
                critical=False,
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _rsa(self, name: str, *, renew: bool = False) -> rsa.RSAPrivateKey:
        if renew:
            (self.folder / name).unlink(missing_ok=True)
        key = self._key(name, lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{self.folder / name} is not an RSA key: delete it and start again")
        return key

    def _ec(self, name: str) -> ec.EllipticCurvePrivateKey:
        key = self._key(name, lambda: ec.generate_private_key(ec.SECP256R1()))
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{self.folder / name} is not an EC key: delete it and start again")
        return key

    def _key(self, name: str, make: Callable[[], PrivateKey]) -> object:
        file = self.folder / name
        if file.exists():
            return serialization.load_pem_private_key(file.read_bytes(), None)
        key = make()
        _write(
            file,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        return key


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, readable by the owner alone."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with contextlib.closing(os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")) as out:
        out.write(content)
    draft.replace(file)


def _plain(name: str) -> str:
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"{name!r} cannot be an identifier: use letters, digits, dots and hyphens")
    return name


def _name(*parts: tuple[ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _usage(*, signs: bool = False, certifies: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


def _team(certificate_file: Path) -> str:
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    return str(certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value)


def _der_length(length: int) -> bytes:
    return bytes([length]) if length < 128 else bytes([0x81, length])
