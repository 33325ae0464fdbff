"""Opaque public identifiers."""

import secrets
from datetime import datetime

ALPHABET = "0123456789abcdefghijkmnpqrstuvwxyz"
LENGTH = 22


def public_id(prefix: str) -> str:
    """A new id such as `mem_8f2k…`: *prefix* says of what; 112 random bits, safe in URLs."""
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(LENGTH))}"


def unguessable() -> str:
    """A 192-bit URL-safe secret for links and serials, 32 characters of [A-Za-z0-9_-]."""
    return secrets.token_urlsafe(24)


def time_ordered(prefix: str, now: datetime) -> str:
    """A new id that sorts by time, for ledger entries: 48 bits of milliseconds, then 80 random bits (as in UUIDv7)."""
    return f"{prefix}_{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"
