"""Password hashes: argon2id, with the same work for people who do not exist."""

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB, 2 passes, 1 lane: OWASP's first choice for argon2id; eight sign-ins at once stay under 160 MiB.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """The argon2id hash of a password, however the keyboard composed its letters."""
    return HASHER.hash(_normal(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password belongs to the hash; None (no such person) takes the same time and is False."""
    try:
        right = HASHER.verify(password_hash or _nobody(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return right and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than today's."""
    return HASHER.check_needs_rehash(password_hash)


@cache
def _nobody() -> str:
    return HASHER.hash("nobody has this password")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
