"""Google's REST API as a client meets it: the vendor's own session for signing in, plain bodies."""

import json
import time
from typing import Any

import jwt
import requests
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2.service_account import Credentials

from app.sandbox.sandbox import ISSUER_ID, Sandbox

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
CLASS_ID = f"{ISSUER_ID}.cards"
OBJECT_ID = f"{ISSUER_ID}.card-1"
IMAGE = {"sourceUri": {"uri": "https://example.com/logo.png"}}


def loyalty_class(**changes: Any) -> dict[str, Any]:
    return {
        "id": CLASS_ID,
        "issuerName": "Corner Café",
        "programName": "Beans",
        "programLogo": IMAGE,
        "reviewStatus": "UNDER_REVIEW",
        **changes,
    }


def loyalty_object(**changes: Any) -> dict[str, Any]:
    return {
        "id": OBJECT_ID,
        "classId": CLASS_ID,
        "state": "ACTIVE",
        "loyaltyPoints": {"label": "Points", "balance": {"int": 10}},
        **changes,
    }


def offer_class(**changes: Any) -> dict[str, Any]:
    return {
        "id": f"{ISSUER_ID}.offers",
        "issuerName": "Corner Café",
        "title": "Free cake",
        "provider": "Café",
        "redemptionChannel": "INSTORE",
        "reviewStatus": "UNDER_REVIEW",
        **changes,
    }


class GoogleClient:
    def __init__(self, sandbox: Sandbox) -> None:
        self._root = f"{sandbox.google_url}/walletobjects/v1/"
        self.credentials = Credentials.from_service_account_file(str(sandbox.google_credentials), scopes=[SCOPE])
        # Signed in by hand: AuthorizedSession also asks a fixed address of Google's for the account's region.
        self.session = requests.Session()
        self.credentials.refresh(AuthRequest(self.session))
        self.session.headers["Authorization"] = f"Bearer {self.credentials.token}"

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        return self.session.request(method, self._root + path, json=body, params=query, timeout=10)

    def made(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        answer = self.call(method, path, body, **query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def close(self) -> None:
        self.session.close()


def save_jwt(sandbox: Sandbox, payload: Any, **changes: Any) -> str:
    account = json.loads(sandbox.google_credentials.read_text())
    claims = {
        "iss": account["client_email"],
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(time.time()),
        "origins": ["http://127.0.0.1:8080"],
        "payload": payload,
        **changes,
    }
    return jwt.encode(claims, account["private_key"], algorithm="RS256", headers={"kid": account["private_key_id"]})


def thin_jwt(sandbox: Sandbox, object_id: str = OBJECT_ID, **changes: Any) -> str:
    payload = changes.pop("payload", {"loyaltyObjects": [{"id": object_id, "classId": CLASS_ID}]})
    return save_jwt(sandbox, payload, **changes)
