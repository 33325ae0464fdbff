"""The issuer's service account: access tokens for its assertions, and the signature on its save links."""

import secrets
import threading
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # Google's own client names it whatever token_uri says
SKEW_S = 300
LIST_NAMES = {
    "loyaltyClasses": "loyaltyClass",
    "offerClasses": "offerClass",
    "offerObjects": "offerObject",
    "loyaltyObjects": "loyaltyObject",
}


class TokenRefused(Exception):
    """`args[0]` is OAuth's error, `args[1]` what is wrong."""


class LinkRefused(ValueError):
    """Why a save link does not work, in words; Google's page says only that something went wrong."""


class ServiceAccount:
    def __init__(self, credentials: dict[str, Any]) -> None:
        self.email: str = credentials["client_email"]
        self.key_id: str = credentials["private_key_id"]
        self.token_uri: str = credentials["token_uri"]
        self.token_life_s = 3599
        private = serialization.load_pem_private_key(credentials["private_key"].encode(), None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError("the service account's key must be RSA")
        self._key = private.public_key()
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()

    def access_token(self, form: dict[str, str]) -> dict[str, Any]:
        """The answer to a token request. Raises TokenRefused."""
        if form.get("grant_type") != GRANT:
            raise TokenRefused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')[:80]}")
        try:
            header = jwt.get_unverified_header(form.get("assertion", ""))
            claims = jwt.decode(
                form.get("assertion", ""),
                self._key,
                algorithms=["RS256"],
                audience=[self.token_uri, GOOGLE_TOKEN_URI],
                issuer=self.email,
                leeway=SKEW_S,
                options={"require": ["iat", "exp", "aud", "iss"]},
            )
        except jwt.InvalidTokenError as error:
            raise TokenRefused("invalid_grant", f"Invalid JWT: {error}") from error
        if header.get("kid", self.key_id) != self.key_id:
            raise TokenRefused("invalid_grant", "Invalid JWT Signature.")
        if int(claims["exp"]) - int(claims["iat"]) > 3600:
            raise TokenRefused("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise TokenRefused("invalid_scope", f"The scope must hold {SCOPE}")
        token = "ya29.sandbox-" + secrets.token_urlsafe(32)
        with self._lock:
            now = time.monotonic()
            self._tokens = {token: ends for token, ends in self._tokens.items() if ends > now}
            self._tokens[token] = now + self.token_life_s
        return {"access_token": token, "expires_in": self.token_life_s, "token_type": "Bearer"}

    def may(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._tokens.get(token, 0.0) > time.monotonic()

    def revoke_tokens(self) -> None:
        with self._lock:
            self._tokens.clear()

    def link_claims(self, token: str) -> dict[str, Any]:
        """The payload lists of a save link: {list name: [resources]}. Raises LinkRefused."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["RS256"],
                audience="google",
                issuer=self.email,
                leeway=SKEW_S,
                options={"require": ["iat", "aud", "iss"]},
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise LinkRefused(f"The link's JWT does not verify: {error}") from error
        if header.get("kid", self.key_id) != self.key_id:
            raise LinkRefused("The link names a key that the service account does not have")
        if claims["aud"] != "google":
            raise LinkRefused("aud must be the string google")
        if claims.get("typ") != "savetowallet":
            raise LinkRefused("typ must be savetowallet")
        if not isinstance(claims["iat"], int):
            raise LinkRefused("iat must be whole seconds")
        origins = claims.get("origins", [])
        if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
            raise LinkRefused("origins must be a list of strings")
        return _payload(claims.get("payload"))


def _payload(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict) or not payload:
        raise LinkRefused("The link has no payload")
    for name, entries in payload.items():
        if name not in LIST_NAMES:
            raise LinkRefused(f"The payload has an unknown list {name[:40]!r}")
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries
        ):
            raise LinkRefused(f"{name} must be a list of objects, each with an id")
    if not any(payload.get(name) for name in ("loyaltyObjects", "offerObjects")):
        raise LinkRefused("The link names no object to save")
    return payload
