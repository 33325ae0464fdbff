"""The pass certificates in `certs/<pass type>/`: loaded once, looked at again when a file changes.

While a certificate is renewed there are two: the new one in the folder itself, the one before it in `previous/`. The
new one signs and pushes as soon as it can be used; the old one stands by until it expires.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.errors import Busy, Sentence
from passes.apple.addresses import PASS_TYPE
from passes.apple.identity import Identity
from passes.apple.signing import Signer
from passes.errors import IdentityError

SHIPPED_INTERMEDIATE = Path(__file__).parent / "wwdr.pem"
WARN_DAYS = 60
URGENT_DAYS = 7

PREVIOUS = "previous"
FILES = ("certificate.pem", "key.pem", "wwdr.pem")

Stamp = tuple[tuple[int, int] | None, ...]


class Severity(Enum):
    """How bad a finding is: nothing can be signed, it will soon be so, or all is well."""

    BROKEN = "broken"
    WARNING = "warning"
    FINE = "fine"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What `doctor` and the admin page say of one pass type. `days_left` is None where nothing could be loaded.

    `standby` speaks of the certificate before this one, while there is one.
    """

    pass_type: str
    severity: Severity
    sentence: str
    hint: str
    days_left: int | None
    expires_at: datetime | None
    standby: str = ""


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What one pass type signs and pushes with. `fingerprint` names it in caches and changes with the certificate."""

    signer: Signer
    fingerprint: str

    @property
    def chain_pem(self) -> bytes:
        identity = self.signer.identity
        return b"".join(one.public_bytes(Encoding.PEM) for one in (identity.certificate, identity.intermediate))

    @property
    def key_pem(self) -> bytes:
        """The key without a password: for memory only, never for a file."""
        key = self.signer.identity.key
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    stamp: Stamp
    credential: Credential | None
    fault: str

    def unusable(self, at: datetime, pass_type: str, team: str | None) -> str:
        """Why this cannot sign at that moment; empty if it can."""
        if self.credential is None:
            return self.fault
        return "; ".join(self.credential.signer.identity.problems(at=at, pass_type=pass_type, team=team))


class Identities:
    """The credentials of one certs folder; safe to share between threads."""

    def __init__(self, certs_dir: Path, *, password: str = "") -> None:
        self._certs_dir = certs_dir
        self._password = password
        self._lock = threading.Lock()
        self._loaded: dict[Path, _Loaded] = {}

    def credential(self, pass_type: str, *, at: datetime, team: str | None = None) -> Credential:
        """The credential that signs passes of this type (and team) at that moment.

        Raises: Busy `no_pass_certificate` with the reason, in words, if there is none.
        """
        return self.credentials(pass_type, at=at, team=team)[0]

    def credentials(self, pass_type: str, *, at: datetime, team: str | None = None) -> list[Credential]:
        """The credentials that are good at that moment, at least one: the newest, then the one it replaced.

        Raises: as `credential`.
        """
        found = [self._load(pass_type), self._load(pass_type, PREVIOUS)]
        good = [one.credential for one in found if one.credential and not one.unusable(at, pass_type, team)]
        if not good:
            raise self.refusal(pass_type, found[0].unusable(at, pass_type, team))
        return good

    def standing(self, pass_type: str) -> list[Credential]:
        """The credentials in place, the newest first, whether they are good at the moment or not."""
        found = [self._load(pass_type), self._load(pass_type, PREVIOUS)]
        return [one.credential for one in found if one.credential is not None]

    def signer(self, pass_type: str, *, at: datetime, team: str | None = None) -> Signer:
        """As `credential`, for signing alone.

        Raises: Busy `no_pass_certificate`.
        """
        return self.credential(pass_type, at=at, team=team).signer

    def problems(self, programmes: Iterable[tuple[str, str]], *, at: datetime) -> list[Finding]:
        """One finding for each distinct (pass type, team), good ones too, in the order given."""
        return [self.finding(pass_type, at=at, team=team) for pass_type, team in dict.fromkeys(programmes)]

    def refusal(self, pass_type: str, reason: str) -> Busy:
        """The answer that stops issuing and nothing else."""
        return Busy(
            "no_pass_certificate",
            Sentence("Apple cards cannot be issued at the moment: %(reason)s.", reason=reason),
            detail=f"{pass_type}: {reason}",
            retry_after_s=300,
        )

    def finding(self, pass_type: str, *, at: datetime, team: str | None = None) -> Finding:
        """The state of one pass type, in words; *team* is checked where a programme names one."""
        loaded, before = self._load(pass_type), self._load(pass_type, PREVIOUS)
        standby = before.credential if not before.unusable(at, pass_type, team) else None
        fault = loaded.unusable(at, pass_type, team)
        if loaded.credential is None:
            hint = Sentence(
                "Put certificate.pem and key.pem into %(folder)s, or run: tessera certs csr %(pass_type)s",
                folder=self._certs_dir / pass_type,
                pass_type=pass_type,
            )
        else:
            hint = Sentence(
                "Renew it: tessera certs csr %(pass_type)s, then tessera certs import. The till goes on meanwhile.",
                pass_type=pass_type,
            )
        if fault and standby is not None:
            return _stepped_in(pass_type, fault, hint, standby, at)
        if fault or loaded.credential is None:
            return _broken(pass_type, fault, hint, loaded.credential, at)
        return _fine(pass_type, loaded.credential, standby, at)

    def _load(self, pass_type: str, inner: str = "") -> _Loaded:
        if not PASS_TYPE.fullmatch(pass_type):
            return _Loaded(stamp=(), credential=None, fault=f"{pass_type[:60]!r} is no pass type identifier")
        folder = self._certs_dir / pass_type / inner
        paths = (folder / FILES[0], folder / FILES[1], folder / FILES[2])
        stamp = tuple(_stamp(path) for path in paths)
        with self._lock:
            known = self._loaded.get(folder)
            if known is None or known.stamp != stamp:
                known = self._loaded[folder] = self._read(paths, stamp)
            return known

    def _read(self, paths: tuple[Path, Path, Path], stamp: Stamp) -> _Loaded:
        certificate, key, own_intermediate = paths
        missing = [path.name for path, found in zip(paths[:2], stamp, strict=False) if found is None]
        if missing:
            # customers read this too, so the folder stays out of it; findings name it
            return _Loaded(stamp=stamp, credential=None, fault=f"{' and '.join(missing)} is missing")
        try:
            identity = Identity.from_files(
                certificate=certificate,
                key=key,
                intermediates=own_intermediate if stamp[2] else SHIPPED_INTERMEDIATE,
                password=self._password_for(key),
            )
            signer = Signer.prepare(identity)
        except IdentityError as problem:
            return _Loaded(stamp=stamp, credential=None, fault=str(problem))
        fingerprint = identity.certificate.fingerprint(SHA256()).hex()
        return _Loaded(stamp=stamp, credential=Credential(signer=signer, fingerprint=fingerprint), fault="")

    def _password_for(self, key: Path) -> bytes | None:
        """One password serves all pass types; a key that is not encrypted needs none and would refuse it."""
        try:
            encrypted = b"ENCRYPTED" in key.read_bytes()[:4096]
        except OSError:
            return None
        return self._password.encode() if self._password and encrypted else None


def _broken(pass_type: str, fault: str, hint: str, credential: Credential | None, at: datetime) -> Finding:
    return Finding(
        pass_type=pass_type,
        severity=Severity.BROKEN,
        sentence=Sentence("Passes of %(pass_type)s cannot be signed: %(fault)s.", pass_type=pass_type, fault=fault),
        hint=hint,
        days_left=credential.signer.identity.days_left(at) if credential else None,
        expires_at=credential.signer.identity.valid_until if credential else None,
    )


def _stepped_in(pass_type: str, fault: str, hint: str, standby: Credential, at: datetime) -> Finding:
    identity = standby.signer.identity
    sentence = Sentence(
        "The new certificate of %(pass_type)s cannot be used: %(fault)s. The one before it signs until %(day)s.",
        pass_type=pass_type,
        fault=fault,
        day=f"{identity.valid_until:%Y-%m-%d}",
    )
    return Finding(
        pass_type=pass_type,
        severity=Severity.WARNING,
        sentence=sentence,
        hint=hint,
        days_left=identity.days_left(at),
        expires_at=identity.valid_until,
    )


def _fine(pass_type: str, credential: Credential, standby: Credential | None, at: datetime) -> Finding:
    identity = credential.signer.identity
    days = identity.days_left(at)
    is_urgent = days <= WARN_DAYS
    renew = Sentence("Renew it before then: tessera certs csr %(pass_type)s", pass_type=pass_type)
    sentence = Sentence(
        "The certificate of %(pass_type)s is valid until %(day)s (%(days)s days).",
        pass_type=pass_type,
        day=f"{identity.valid_until:%Y-%m-%d}",
        days=days,
    )
    return Finding(
        pass_type=pass_type,
        severity=Severity.WARNING if is_urgent else Severity.FINE,
        sentence=sentence,
        hint=renew if is_urgent else "",
        days_left=days,
        expires_at=identity.valid_until,
        standby=""
        if standby is None
        else Sentence(
            "The one before it stands by until %(day)s.", day=f"{standby.signer.identity.valid_until:%Y-%m-%d}"
        ),
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
