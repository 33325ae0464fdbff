"""What few passes carry -> JSON: companion app, NFC, featured actions, user info."""

import base64
import binascii
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from passes.apple import fieldtext
from passes.apple.jsontext import Writer, below
from passes.apple.model import FeaturedAction, Nfc, Pass

FEATURED_ACTIONS_MAX = 2
NFC_MESSAGE_BYTES_MAX = 64
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def extras(out: Writer, card: Pass, parts: list[str]) -> None:
    """Encode the rare keys."""
    _companion_app(out, card, parts)
    if card.sharing_prohibited:
        parts.append('"sharingProhibited":true')
    if card.semantics is not None:
        parts.append(f'"semantics":{fieldtext.semantics(out, "semantics", card.semantics)}')
    if card.nfc is not None:
        parts.append(f'"nfc":{_nfc(out, card.nfc)}')
    if card.featured_actions:
        parts.append(f'"featuredActions":{_featured_actions(out, card.featured_actions)}')


def _companion_app(out: Writer, card: Pass, parts: list[str]) -> None:
    if card.associated_store_identifiers:
        if any(below(number, 1) for number in card.associated_store_identifiers):
            out.fault("associated_store_identifiers", "an App Store id is a positive number")
        numbers = (out.number("associated_store_identifiers", number) for number in card.associated_store_identifiers)
        parts.append(f'"associatedStoreIdentifiers":[{",".join(numbers)}]')
    if card.app_launch_url is not None:
        if not card.associated_store_identifiers:
            out.fault("app_launch_url", "needs associated_store_identifiers")
        if not _SCHEME.match(card.app_launch_url):
            out.fault("app_launch_url", "needs a scheme, such as https: or myshop:")
        parts.append(f'"appLaunchURL":{out.text("app_launch_url", card.app_launch_url)}')
    if card.user_info is not None:
        parts.append(f'"userInfo":{out.json("user_info", card.user_info)}')


def is_p256_public_key(text: str) -> bool:
    """Whether a text is base64 of an X.509 SubjectPublicKeyInfo with a P-256 key."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _nfc(out: Writer, nfc: Nfc) -> str:
    message = out.filled("nfc.message", nfc.message)
    if message != "null" and len(nfc.message.encode()) > NFC_MESSAGE_BYTES_MAX:
        out.fault("nfc.message", f"is longer than {NFC_MESSAGE_BYTES_MAX} bytes and would be cut")
    if not is_p256_public_key(nfc.encryption_public_key):
        out.fault("nfc.encryption_public_key", "is not base64 of an X.509 public key on the curve P-256")
    requires = ',"requiresAuthentication":true' if nfc.requires_authentication else ""
    key = out.text("nfc.encryption_public_key", nfc.encryption_public_key)
    return f'{{"message":{message},"encryptionPublicKey":{key}{requires}}}'


def _featured_actions(out: Writer, actions: tuple[FeaturedAction, ...]) -> str:
    if len(actions) > FEATURED_ACTIONS_MAX:
        out.fault("featured_actions", f"holds {len(actions)}; Wallet takes {FEATURED_ACTIONS_MAX}")
    texts = []
    for i, action in enumerate(actions):
        where = f"featured_actions[{i}]"
        if not _SCHEME.match(action.url):
            out.fault(where, "the url needs a scheme, such as https:")
        texts.append(
            f'{{"identifier":{out.filled(where, action.identifier)},"type":"{action.type.value}",'
            f'"url":{out.text(where, action.url)}}}'
        )
    return f"[{','.join(texts)}]"
