"""Colours, companion app, semantic tags, NFC, personalization, featured actions."""

import json
import re
from collections.abc import Iterator, Mapping

from passes.apple import model
from passes.apple.extras import FEATURED_ACTIONS_MAX, NFC_MESSAGE_BYTES_MAX, is_p256_public_key
from passes.apple.fieldtext import CURRENCY
from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.fields import unknown_value
from passes.apple.lint.subject import Json, Subject, count, objects, place, shown
from passes.errors import InvalidPass

RULES = Rulebook()
COLOUR = RULES.warning("colour-invalid", "the colour is not read and Wallet's own is used", "write rgb(26, 43, 60)")
COLOUR_HEX = RULES.note("colour-hex", "#RRGGBB is read by new systems only", "write rgb(26, 43, 60)")
APP_LAUNCH = RULES.warning(
    "app-launch-without-app",
    "appLaunchURL does nothing without associatedStoreIdentifiers",
    "add the App Store id of the app",
)
AMOUNT = RULES.warning(
    "semantics-amount",
    "an amount in semantics is a text with a currencyCode",
    'write {"amount": "12.50", "currencyCode": "EUR"}',
)
NFC_CERTIFICATE = RULES.error(
    "nfc-certificate",
    "with a normal certificate Wallet refuses a pass that has nfc or personalization.json",
    "remove it, or say that the certificate is one that Apple granted for NFC",
)
NFC_INCOMPLETE = RULES.error("nfc-incomplete", "nfc needs message and encryptionPublicKey", "add the missing key")
NFC_MESSAGE = RULES.warning("nfc-message-long", "an NFC message is cut after 64 bytes", "shorten it")
NFC_KEY = RULES.error(
    "nfc-key",
    "encryptionPublicKey is not base64 of an X.509 public key on P-256",
    "export the key as SubjectPublicKeyInfo",
)
NFC_SHARING = RULES.note(
    "nfc-sharing", "a pass that asks for authentication can still be shared", "add sharingProhibited: true"
)
PERSONALIZATION = RULES.error(
    "personalization-invalid",
    "personalization.json needs requiredPersonalizationFields and description",
    "use PKPassPersonalizationFieldName, ...PostalCode, ...EmailAddress, ...PhoneNumber",
)
ACTIONS_MANY = RULES.warning("featured-actions-many", "Wallet takes two featured actions", "keep two")
ACTION = RULES.warning(
    "featured-action-incomplete", "a featured action needs identifier, type and url", "add the missing key"
)
_RGB = re.compile(r"rgb\(")
_ACTIONS = [action.value for action in model.ActionType] + ["viewSchedule", "watchTrailer", "listenToMusic"]
_PERSONAL = frozenset(
    f"PKPassPersonalizationField{name}" for name in ("Name", "PostalCode", "EmailAddress", "PhoneNumber")
)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at what few passes carry."""
    document = subject.document
    for key in ("backgroundColor", "foregroundColor", "labelColor", "stripColor"):
        yield from _colour(place(key), document.get(key))
    if "appLaunchURL" in document and not document.get("associatedStoreIdentifiers"):
        yield APP_LAUNCH.found(place("appLaunchURL"))
    yield from _semantics(place("semantics"), document.get("semantics"))
    for _, where, field in subject.fields():
        yield from _semantics(f"{where}.semantics", field.get("semantics"))
    yield from _nfc(subject)
    yield from _personalization(subject)
    yield from _actions(document)


def _colour(where: str, value: object) -> Iterator[Finding]:
    if not isinstance(value, str):
        return
    try:
        model.Colour.parse(value)
    except InvalidPass:
        yield COLOUR.found(where, shown(value))
        return
    if not _RGB.match(value):
        yield COLOUR_HEX.found(where, shown(value))


def _semantics(where: str, tags: object) -> Iterator[Finding]:
    if not isinstance(tags, Mapping):
        return
    for key in ("balance", "totalPrice"):
        if key not in tags:
            continue
        money = tags[key]
        amount = money.get("amount") if isinstance(money, Mapping) else None
        currency = money.get("currencyCode") if isinstance(money, Mapping) else None
        whole = isinstance(amount, str) and re.fullmatch(r"-?\d+(\.\d+)?", amount, re.ASCII)
        if not whole or not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
            yield AMOUNT.found(f"{where}.{key}", shown(money))


def _nfc(subject: Subject) -> Iterator[Finding]:
    nfc = subject.document.get("nfc")
    if ("nfc" in subject.document or "personalization.json" in subject.files) and not subject.nfc_certificate:
        yield NFC_CERTIFICATE.found(place("nfc") if "nfc" in subject.document else "personalization.json")
    if not isinstance(nfc, Mapping):
        return
    message, key = nfc.get("message"), nfc.get("encryptionPublicKey")
    if message is None or key is None:
        yield NFC_INCOMPLETE.found(place("nfc"))
    if isinstance(message, str) and len(message.encode("utf-8", "replace")) > NFC_MESSAGE_BYTES_MAX:
        yield NFC_MESSAGE.found(place("nfc.message"))
    if isinstance(key, str) and not is_p256_public_key(key):
        yield NFC_KEY.found(place("nfc.encryptionPublicKey"))
    if nfc.get("requiresAuthentication") is True and subject.document.get("sharingProhibited") is not True:
        yield NFC_SHARING.found(place("nfc.requiresAuthentication"))


def _personalization(subject: Subject) -> Iterator[Finding]:
    data = subject.files.get("personalization.json")
    if data is None:
        return
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    fields = content.get("requiredPersonalizationFields") if isinstance(content, dict) else None
    wanted = isinstance(fields, list) and fields and all(isinstance(one, str) and one in _PERSONAL for one in fields)
    if not wanted or not isinstance(content, dict) or not isinstance(content.get("description"), str):
        yield PERSONALIZATION.found("personalization.json")


def _actions(document: Json) -> Iterator[Finding]:
    if (number := count(document, "featuredActions")) > FEATURED_ACTIONS_MAX:
        yield ACTIONS_MANY.found(place("featuredActions"), f"{number} actions")
    for where, action in objects(document, "featuredActions"):
        if not {"identifier", "type", "url"} <= action.keys():
            yield ACTION.found(where)
        kind = action.get("type")
        if isinstance(kind, str) and kind not in _ACTIONS:
            yield unknown_value(f"{where}.type", kind, _ACTIONS)
