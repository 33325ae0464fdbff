"""Keys that live apart from the database, and what is sealed with them.

One secret (TESSERA_SECRET_KEY, or `var/secret.key` made on first start) yields a separate key for each purpose,
so that a copy of the database alone opens no personal data and forges no pass token or session.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import ConfigurationError

VERSION = b"\x01"
NONCE_BYTES = 12
SHORTEST_SECRET = 32


class Vault:
    """Seals personal data and makes look-up digests; safe to share between threads."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._fields = AESGCM(self.key_for("fields"))
        self._index = self.key_for("blind-index")
        self.pass_token_key = self.key_for("apple-pass-token")

    def key_for(self, purpose: str) -> bytes:
        """A 256-bit key of its own for *purpose*."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"tessera:{purpose}".encode()).derive(self._secret)

    def seal(self, plain: bytes) -> bytes:
        """Encrypt and authenticate; the result names its key version in the first byte."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._fields.encrypt(nonce, plain, VERSION)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what `seal` made.

        Raises: ConfigurationError, if it was sealed under another secret.
        """
        try:
            return self._fields.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], sealed[:1])
        except (InvalidTag, ValueError) as problem:
            raise ConfigurationError(
                "personal data was sealed with another TESSERA_SECRET_KEY; restore the key of this database"
            ) from problem

    def blind(self, text: str) -> str:
        """A keyed digest by which a value can be found again without being stored."""
        return hmac.new(self._index, text.encode(), hashlib.sha256).hexdigest()


def load_secret(configured: str, var_dir: Path) -> str:
    """The configured secret, or the one kept in `var/`, made there on first start with mode 600.

    Raises: ConfigurationError, if what is kept there is no secret: a key made from an empty file is known to everybody.
    """
    if configured:
        return configured
    path = var_dir / "secret.key"
    if not path.exists():
        var_dir.mkdir(parents=True, exist_ok=True)
        _write_once(path, secrets.token_hex(32))
    kept = path.read_bytes().strip()
    if len(kept) < SHORTEST_SECRET or not kept.isascii():
        raise ConfigurationError(f"{path} holds no secret; put back the file that was made with this database")
    return kept.decode("ascii")


def _write_once(path: Path, text: str) -> None:
    """Two processes starting together must end with one secret: link() refuses to replace an existing file."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
