"""The JWT that speaks for a team at APNs where no certificate does."""

import base64
import json
import re
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from passes.errors import IdentityError

# Apple refuses a provider token that is older than an hour, and one that is renewed within 20 minutes.
PROVIDER_TOKEN_LIFE = timedelta(minutes=45)
_P256_BYTES = 32


def provider_token(key_pem: bytes, *, key_id: str, team: str, at: datetime) -> str:
    """Make the JWT that speaks for a team instead of a certificate; reuse it for PROVIDER_TOKEN_LIFE.

    Args:
        key_pem: the .p8 file from Apple.
        key_id: its ten characters.
        team: the team that owns key and pass type.
        at: aware, the moment of issue.

    Raises: IdentityError, for a key that is no P-256 key, or an id of the wrong form.
    """
    problems = [
        f"the {what} {value!r} is not ten capital letters and digits"
        for what, value in (("key id", key_id), ("team identifier", team))
        if not re.fullmatch(r"[A-Z0-9]{10}", value)
    ]
    if problems:
        raise IdentityError(problems)
    key = _p8_key(key_pem)
    claims = {"iss": team, "iat": int(at.timestamp())}
    signed = f"{_base64url_json({'alg': 'ES256', 'kid': key_id})}.{_base64url_json(claims)}"
    first, second = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    # JWT wants both numbers at full width; DER drops leading zeros, which would spoil one signature in 128.
    signature = first.to_bytes(_P256_BYTES, "big") + second.to_bytes(_P256_BYTES, "big")
    return f"{signed}.{_base64url(signature)}"


def _p8_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise IdentityError("the .p8 file cannot be read; use the AuthKey_….p8 from Apple as it is") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityError("the .p8 file does not hold a P-256 key; use the AuthKey_….p8 from Apple")
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _base64url_json(value: dict[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())
