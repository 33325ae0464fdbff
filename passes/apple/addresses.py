"""Identifiers, tokens and addresses as a pass may carry them."""

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

PASS_TYPE = re.compile(r"pass\.[A-Za-z0-9](?:[A-Za-z0-9.-]{0,120}[A-Za-z0-9])?")
TEAM = re.compile(r"[A-Z0-9]{10}")
SERIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")
TOKEN = re.compile(r"[!-<>-~]{16,256}")
TOKEN_CHARACTERS_MIN = 16
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@lru_cache(maxsize=64)
def web_service_url_problem(url: str) -> str | None:
    """Say why a phone could not use an address as webServiceURL; None if it could.

    Plain http passes for this machine alone, because no phone can be misled there and a trial needs no certificate.
    """
    parts = split(url)
    if parts is None:
        return "is no address; write it as https://cards.example.com/apple"
    if not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts))):
        return "must start with https://"
    if parts.query or parts.fragment or parts.username is not None:
        return "must not hold a query, a fragment or a user name"
    if parts.path.rstrip("/").endswith("/v1"):
        return "must not end with /v1, because the phone adds it"
    if parts.path.endswith("/"):
        return "must not end with a slash"
    return None


def is_loopback(parts: SplitResult) -> bool:
    """Whether an address leads to this machine only."""
    return parts.hostname in _LOOPBACK


def split(url: str) -> SplitResult | None:
    """Take an absolute address apart; None for anything that is none."""
    if not url.isascii() or re.search(r"[\s\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if parts.scheme and parts.hostname and port != 0 else None
