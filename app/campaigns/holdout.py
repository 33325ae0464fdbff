"""Who is held back, to compare with: decided by a hash, so that it is the same each time and needs no table."""

import hashlib
from dataclasses import dataclass

BUCKETS = 10_000
TREATED = "treated"
HELD_BACK = "holdout"


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Whom a run holds back, in basis points: of its own campaign, and of everything."""

    campaign: str
    campaign_bp: int
    programme: str
    global_bp: int


def bucket(salt: str, member: str) -> int:
    """The place of a member among 10,000, another one for each salt: a campaign's public id, or `global_salt`."""
    start = hashlib.sha256(f"{salt}|{member}".encode()).digest()[:8]
    return (int.from_bytes(start) >> 4) % BUCKETS  # of the first fifteen hexadecimal digits


def global_salt(programme: str) -> str:
    """The salt of those who are held back of everything in a programme."""
    return f"global:{programme}"


def is_held_back(salt: str, member: str, share_bp: int) -> bool:
    """Whether a member (public id) is among the share that is held back."""
    return share_bp > 0 and bucket(salt, member) < share_bp


def arm(shares: Shares, member: str) -> str:
    """treated or holdout; empty for who is held back of everything and so belongs to no arm of any campaign."""
    if is_held_back(global_salt(shares.programme), member, shares.global_bp):
        return ""
    return HELD_BACK if is_held_back(shares.campaign, member, shares.campaign_bp) else TREATED
