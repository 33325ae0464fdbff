"""Certificates on their way: the request to Apple, the import of its answer, an authority for development."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from app.errors import Unprocessable
from app.wallets.apple.identities import FILES, PREVIOUS, SHIPPED_INTERMEDIATE
from passes.apple.addresses import PASS_TYPE, TEAM
from passes.apple.identity import Identity

PASS_MARK = ObjectIdentifier("1.2.840.113635.100.6.1.16")
PASS_USAGE = ObjectIdentifier("1.2.840.113635.100.4.14")
UID = NameOID.USER_ID
LEAF_DAYS = 396
AUTHORITY_DAYS = 3650
WAITING_KEY = "key.pem.new"
LONGEST_COMMON_NAME = 64
LONGEST_EMAIL = 255
DEVELOPMENT_ISSUER = "Tessera Development Pass Authority"


def checked_pass_type(text: str) -> str:
    """A pass type identifier, safe as a folder's name.

    Raises: Unprocessable `invalid_pass_type`.
    """
    if not PASS_TYPE.fullmatch(text):
        raise Unprocessable("invalid_pass_type", f"{text[:60]} is no pass type; it looks like pass.com.example.card.")
    return text


def make_request(certs_dir: Path, pass_type: str, *, email: str, password: str = "") -> Path:
    """Make a key and a signing request to upload to Apple; the file of the request.

    The new key waits beside the one in use until its certificate is imported, so signing never stops. A request made
    again uses the key that waits.
    """
    if not email.isascii() or not email.isprintable() or len(email) > LONGEST_EMAIL:
        raise Unprocessable("invalid_email", "Write the e-mail address in plain letters, for example me@example.com.")
    folder = _folder(certs_dir, checked_pass_type(pass_type))
    key = _waiting_key(folder, password)
    # Apple names the certificate itself; what the request says is for people
    name = _name((NameOID.COMMON_NAME, pass_type[:LONGEST_COMMON_NAME]), (NameOID.EMAIL_ADDRESS, email))
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    file = folder / "request.certSigningRequest"
    _write(file, request.public_bytes(serialization.Encoding.PEM))
    return file


def import_certificate(
    certs_dir: Path,
    data: bytes,
    *,
    now: datetime,
    intermediate: bytes | None = None,
    password: str = "",
    teams: Mapping[str, str] | None = None,
) -> Identity:
    """Check what Apple issued against the key that waits (or the one in use) and put both in place.

    What was in use and is still good stands by in `previous/` until it expires: see `identities`.

    `teams`: the team of each pass type that a programme uses. The intermediate is chosen among the one given, the one
    in the folder and the shipped one; nothing is changed unless everything fits.

    Raises: passes.errors.IdentityError with the reason (wrong key, wrong intermediate, expired, other team);
        Unprocessable for what is no pass certificate, or one that nobody asked for here.
    """
    certificate = _certificate(data)
    pass_type = _uid(certificate)
    if not PASS_TYPE.fullmatch(pass_type):
        text = "This is no Pass Type ID certificate; download the one that Apple shows for your pass type."
        raise Unprocessable("not_a_pass_certificate", text)
    folder = certs_dir / pass_type
    key_file = folder / WAITING_KEY if (folder / WAITING_KEY).exists() else folder / "key.pem"
    if not key_file.exists():
        raise Unprocessable("no_key", f"There is no key for {pass_type}; make one with: tessera certs csr {pass_type}")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    key = key_file.read_bytes()
    encrypted = _is_encrypted(key)
    own = folder / "wwdr.pem"
    identity = Identity.from_pem(
        certificate=pem,
        key=key,
        intermediates=intermediate or SHIPPED_INTERMEDIATE.read_bytes() + (own.read_bytes() if own.exists() else b""),
        password=_password_bytes(password) if encrypted else None,
    )
    identity.check(at=now, pass_type=pass_type, team=(teams or {}).get(pass_type))
    _keep_previous(folder, identity, now)
    _put_in_place(folder, identity)
    if key_file.name == WAITING_KEY:
        key_file.replace(folder / "key.pem")
    return identity


def make_development_identity(certs_dir: Path, var_dir: Path, pass_type: str, team: str, *, now: datetime) -> Path:
    """A pass certificate from an authority of our own, for trying things out; real phones refuse its passes.

    Returns: the root certificate to trust when verifying.
    """
    if not TEAM.fullmatch(team):
        raise Unprocessable(
            "invalid_team", f"{team[:20]} is no team: write ten capitals and digits, such as A1B2C3D4E5."
        )
    folder = _folder(certs_dir, checked_pass_type(pass_type))
    _refuse_to_replace(folder, pass_type)
    home = var_dir / "development-authority"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    root_key, root = _authority(home, "root", "Tessera Development Root", None, now)
    middle_key, middle = _authority(home, "intermediate", DEVELOPMENT_ISSUER, (root_key, root), now)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    leaf = _leaf(pass_type, team, key.public_key(), (middle_key, middle), now)
    _write(folder / "key.pem", _key_bytes(key, ""))
    _write(folder / "certificate.pem", leaf.public_bytes(serialization.Encoding.PEM))
    _write(folder / "wwdr.pem", middle.public_bytes(serialization.Encoding.PEM))
    return home / "root.pem"


def _keep_previous(folder: Path, renewed: Identity, now: datetime) -> None:
    """Copy what is in use beside the new one, first of all: a reader never finds neither."""
    try:
        current = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    except (OSError, ValueError):
        return
    if current == renewed.certificate or current.not_valid_after_utc <= now:
        return
    previous = folder / PREVIOUS
    previous.mkdir(exist_ok=True, mode=0o700)
    for name in FILES:
        if (folder / name).exists():
            _write(previous / name, (folder / name).read_bytes())
        else:
            (previous / name).unlink(missing_ok=True)


def _put_in_place(folder: Path, identity: Identity) -> None:
    """Certificate and intermediate; the intermediate has a file only where it is not the shipped one."""
    _write(folder / "certificate.pem", identity.certificate.public_bytes(serialization.Encoding.PEM))
    shipped = x509.load_pem_x509_certificates(SHIPPED_INTERMEDIATE.read_bytes())
    if identity.intermediate in shipped:
        (folder / "wwdr.pem").unlink(missing_ok=True)
    else:
        _write(folder / "wwdr.pem", identity.intermediate.public_bytes(serialization.Encoding.PEM))


def _refuse_to_replace(folder: Path, pass_type: str) -> None:
    """A certificate or key that did not come from here is worth money and days; nothing for trying out replaces it."""
    file = folder / "certificate.pem"
    if not file.exists() and not (folder / "key.pem").exists():
        return
    try:
        ours = _is_development(x509.load_pem_x509_certificate(file.read_bytes()))
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise Unprocessable(
            "not_ours_to_replace",
            f"{folder} holds a certificate or key from elsewhere: it stays; take another pass type than {pass_type}.",
        )


def _is_development(certificate: x509.Certificate) -> bool:
    names = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [name.value for name in names] == [DEVELOPMENT_ISSUER]


def _leaf(
    pass_type: str, team: str, key: rsa.RSAPublicKey, issuer: tuple[rsa.RSAPrivateKey, x509.Certificate], now: datetime
) -> x509.Certificate:
    subject = _name(
        (UID, pass_type),
        (NameOID.COMMON_NAME, f"Pass Type ID: {pass_type}"[:LONGEST_COMMON_NAME]),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, team),
        (NameOID.ORGANIZATION_NAME, "Tessera development"),
    )
    mark = x509.UnrecognizedExtension(PASS_MARK, bytes([0x0C, len(pass_type)]) + pass_type.encode())
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, PASS_USAGE])
    builder = _builder(subject, issuer[1].subject, key, now, LEAF_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=False).add_extension(mark, critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[0].public_key()), critical=False
    )
    return builder.sign(issuer[0], hashes.SHA256())


def _authority(
    home: Path, name: str, title: str, issuer: tuple[rsa.RSAPrivateKey, x509.Certificate] | None, now: datetime
) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key_file, file = home / f"{name}.key", home / f"{name}.pem"
    if key_file.exists() and file.exists():
        kept = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if isinstance(kept, rsa.RSAPrivateKey):
            return kept, x509.load_pem_x509_certificate(file.read_bytes())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = _name((NameOID.COMMON_NAME, title), (NameOID.ORGANIZATION_NAME, "Tessera development"))
    signer_key, issuer_name = (issuer[0], issuer[1].subject) if issuer else (key, subject)
    builder = _builder(subject, issuer_name, key.public_key(), now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    certificate = builder.sign(signer_key, hashes.SHA256())
    _write(key_file, _key_bytes(key, ""))
    _write(file, certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
    )


def _waiting_key(folder: Path, password: str) -> rsa.RSAPrivateKey:
    file = folder / WAITING_KEY
    if file.exists():
        return _opened(file, password)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(file, _key_bytes(key, password))
    return key


def _opened(file: Path, password: str) -> rsa.RSAPrivateKey:
    """The key that waits: it may be the one of a request at Apple already, so it is never quietly replaced."""
    data = file.read_bytes()
    try:
        kept = serialization.load_pem_private_key(data, _password_bytes(password) if _is_encrypted(data) else None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        kept = None
    if isinstance(kept, rsa.RSAPrivateKey):
        return kept
    raise Unprocessable(
        "key_not_opened",
        f"{file} cannot be opened; set TESSERA_APPLE_KEY_PASSWORD to its password, or remove it to make a new key.",
    )


def _is_encrypted(pem: bytes) -> bool:
    return b"ENCRYPTED" in pem[:4096]


def _password_bytes(password: str) -> bytes | None:
    return password.encode() or None


def _key_bytes(key: rsa.RSAPrivateKey, password: str) -> bytes:
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        lock = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def _certificate(data: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(data) if b"-----BEGIN" in data else x509.load_der_x509_certificate(data)
    except ValueError as problem:
        text = "This file is no certificate; download the .cer file that Apple shows for your pass type."
        raise Unprocessable("not_a_certificate", text) from problem


def as_pem(data: bytes) -> bytes:
    """A certificate file as PEM, whether it was DER or PEM.

    Raises: Unprocessable `not_a_certificate`.
    """
    return _certificate(data).public_bytes(serialization.Encoding.PEM)


def _uid(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(UID)
    return str(found[0].value) if found else ""


def _name(*parts: tuple[ObjectIdentifier, str]) -> x509.Name:
    return x509.Name(_attributes(parts))


def _attributes(parts: Sequence[tuple[ObjectIdentifier, str]]) -> list[x509.NameAttribute[str]]:
    return [x509.NameAttribute(oid, text) for oid, text in parts if text]


def _folder(certs_dir: Path, pass_type: str) -> Path:
    folder = certs_dir / pass_type
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(file: Path, content: bytes) -> None:
    """In one step and with mode 600, so that a reader never sees half a key."""
    draft = file.with_name(f"{file.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        sink.write(content)
    draft.replace(file)
