"""How a webhook proves whence it comes.

Source: the Standard Webhooks specification (standardwebhooks.com), symmetric signatures of version 1.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> bytes:
    """The bytes of a new secret; the specification allows 24 to 64."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """A secret as its receiver is given it."""
    return PREFIX + base64.b64encode(secret).decode("ascii")


def signature(secret: bytes, *, message_id: str, timestamp_s: int, body: bytes) -> str:
    """One signature, with the version in front, over the id, the moment of this attempt and the exact body."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode("ascii")


def headers(secrets_in_use: Sequence[bytes], *, message_id: str, timestamp_s: int, body: bytes) -> list[str]:
    """The three headers, as lines; one signature for each secret in use, the newest first."""
    signatures = [signature(one, message_id=message_id, timestamp_s=timestamp_s, body=body) for one in secrets_in_use]
    return [
        f"webhook-id: {message_id}",
        f"webhook-timestamp: {timestamp_s}",
        f"webhook-signature: {' '.join(signatures)}",
    ]
