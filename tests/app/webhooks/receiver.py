"""How a receiver checks a webhook, written from the public specification alone: nothing of the product is used."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_S = 300


class NotGenuine(Exception):
    """The message must not be believed."""


def check(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float) -> str:
    """The id of a genuine message. Standard Webhooks 1.0: secret `whsec_` + base64, signatures apart by spaces."""
    lower = {name.lower(): value for name, value in headers.items()}
    message_id, moment = lower["webhook-id"], lower["webhook-timestamp"]
    if "." in message_id or not message_id:
        raise NotGenuine("an id holds no full stop")
    if not moment.isdigit() or abs(now_s - int(moment)) > TOLERANCE_S:
        raise NotGenuine("too old, or from the future")
    if not secret.startswith("whsec_"):
        raise NotGenuine("no secret")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise NotGenuine("no secret") from None
    if not 24 <= len(key) <= 64:
        raise NotGenuine("a secret has 24 to 64 bytes")
    wanted = hmac.new(key, f"{message_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    for one in lower["webhook-signature"].split(" "):
        version, _, text = one.partition(",")
        if version == "v1" and hmac.compare_digest(base64.b64decode(text), wanted):
            return message_id
    raise NotGenuine("no signature fits")
