"""Unique codes: how they are written, computed, and looked up without being kept.

Codes of ours are 50 bits and a check symbol, written as card numbers are. Codes that a shop brings in may be of that
form too, or longer ones of its own, of letters and digits, which have no check symbol to be judged by.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from functools import cache

from app.cards import codes
from app.vault import Vault

SEED_BYTES = 32
BITS = 50
OWN = re.compile(r"(?=.*[A-Z])(?=.*[0-9])[0-9A-Z]{12,32}")
LONGEST_TYPED = 64


def normalise(text: str) -> str | None:
    """What was typed or scanned, as a code; None when it cannot be one (no look-up is needed to say so)."""
    ours = codes.normalise(text)
    if ours is not None or len(text) > LONGEST_TYPED:
        return ours
    upper = "".join(c.upper() if c.isascii() else c for c in text.strip())
    own = upper.translate(codes.SEPARATORS)
    return own.translate(codes.LOOK_ALIKES) if OWN.fullmatch(own) else None


def computed(seed: bytes, first: int, count: int) -> Iterator[str]:
    """The codes number *first* and on of a batch: 50 bits each of a keyed function of their number.

    Nobody can tell one from the others without the seed, which is 256 random bits.
    """
    for number in range(first, first + count):
        bits = int.from_bytes(hmac.digest(seed, number.to_bytes(8, "big"), "sha256")[:8], "big") >> (64 - BITS)
        body = "".join(codes.ALPHABET[bits >> shift & 31] for shift in range(BITS - 5, -1, -5))
        yield body + codes.check_symbol(body)


def digest(vault: Vault, programme_id: int, code: str) -> bytes:
    """By what a code is looked up: a keyed digest of it and of the programme, so that it is no code in another one."""
    return hmac.digest(_key(vault), f"{programme_id}:{code}".encode(), hashlib.sha256)


@cache
def _key(vault: Vault) -> bytes:
    """Derived once for each process: it takes longer than the digests of ten codes."""
    return vault.key_for("coupons")
