"""Judges bodies by Google's own schema (discovery document) and by the rules of its prose (`overlay`)."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

_DATA: Json = json.loads(resources.files("app.sandbox").joinpath("data/walletobjects-schemas.json").read_text("utf-8"))
SCHEMAS: Json = _DATA["schemas"]
_OVERLAY: Json = _DATA["overlay"]
_REQUIRED: dict[str, list[str]] = {k: v for k, v in _OVERLAY["requiredOnInsert"].items() if k != "basis"}
_EXACTLY_ONE: dict[str, list[str]] = {k: v for k, v in _OVERLAY["exactlyOneOf"].items() if k != "basis"}
_AT_MOST_ONE: dict[str, list[str]] = {k: v for k, v in _OVERLAY["atMostOneOf"].items() if k != "basis"}
_MAX_ITEMS: dict[str, int] = {k: v for k, v in _OVERLAY["maxItems"].items() if k != "basis"}
_MAX_CHARACTERS: dict[str, int] = _OVERLAY["lengths"]["hardCharacterLimits"]
_OUTPUT_ONLY = set(_OVERLAY["outputOnlyNeverSend"]["fields"])
_COLOUR = re.compile(_OVERLAY["formats"]["hexBackgroundColor"])
_EMAIL_HASH = re.compile(_OVERLAY["formats"]["saveRestrictions.restrictToEmailSha256"])
_HEX_KEY = re.compile(_OVERLAY["formats"]["rotatingBarcode.totpDetails.parameters[].key"])
_MODULE_ID = re.compile(_OVERLAY["id"]["textModuleId"])
_ID = re.compile(r"^[0-9]+\.[A-Za-z0-9._-]+\Z")
_LANGUAGE = re.compile(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_OFFSET = re.compile(r"(Z|[+-]\d{2}:\d{2})\Z")
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_id(text: str) -> bool:
    return bool(_ID.match(text))


def structure_problems(schema: str, body: Any, path: str = "") -> Iterator[str]:
    """Unknown and deprecated fields, wrong types, unknown enum values. `null` is allowed: it clears."""
    if not isinstance(body, dict):
        yield f"Invalid value at '{path or schema}': expected an object"
        return
    known: Json = SCHEMAS[schema]["properties"]
    for name, value in body.items():
        here = f"{path}.{name}" if path else name
        if name not in known:
            yield f"Invalid JSON payload received. Unknown name \"{name}\" at '{path or schema}': Cannot find field."
        elif not path and name in _OUTPUT_ONLY:
            yield f"Field '{here}' is output only: leave it out"
        elif known[name].get("deprecated"):
            yield f"Field '{here}' is deprecated: leave it out"
        elif value is not None:
            yield from _value_problems(known[name], value, here)


def _value_problems(rule: Json, value: Any, path: str) -> Iterator[str]:
    if "$ref" in rule:
        yield from structure_problems(rule["$ref"], value, path)
    elif rule["type"] == "array":
        if not isinstance(value, list):
            yield f"Invalid value at '{path}': expected a list"
            return
        for index, item in enumerate(value):
            yield from _value_problems(rule["items"], item, f"{path}[{index}]")
    elif not _fits(rule, value):
        wanted = rule.get("format") or rule["type"]
        yield f"Invalid value at '{path}' (TYPE_{wanted.upper()}), {json.dumps(value)[:80]}"
    elif "enum" in rule:
        if value not in rule["enum"] or value.endswith("_UNSPECIFIED"):
            yield f"Invalid value at '{path}' (enum), \"{value[:80]}\""
        elif value in rule.get("enumDeprecatedValues", ()):
            yield f"Value \"{value}\" at '{path}' is a deprecated alias: send the name in capitals"


def _fits(rule: Json, value: Any) -> bool:
    match rule["type"], rule.get("format"):
        case "string", "int64":
            return isinstance(value, str) and bool(re.fullmatch(r"-?\d{1,19}", value)) and int(value) in _INT64
        case "string", _:
            return isinstance(value, str) and "\x00" not in value
        case "integer", _:
            return isinstance(value, int) and not isinstance(value, bool) and value in _INT32
        case "number", _:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean", _:
            return isinstance(value, bool)
    return isinstance(value, dict)


def content_problems(schema: str, body: Json, path: str = "") -> Iterator[str]:
    """What a complete resource breaks: missing fields, unions, counts, lengths, formats. Expects a sound structure."""
    present = {name: value for name, value in body.items() if value is not None}
    for name in _REQUIRED.get(schema, ()):
        if present.get(name) in (None, ""):
            yield f"Missing required field '{_join(path, name)}'"
    union = _EXACTLY_ONE.get(schema)
    if union and len(set(union) & set(present)) != 1:
        yield f"Exactly one of {', '.join(union)} must be set at '{path}'"
    choice = _AT_MOST_ONE.get(schema)
    if choice and len(set(choice) & set(present)) > 1:
        yield f"At most one of {', '.join(choice)} may be set at '{path}'"
    for name, value in present.items():
        here = _join(path, name)
        limit = _MAX_ITEMS.get(f"{schema}.{name}", _MAX_ITEMS.get(name))
        if limit is not None and isinstance(value, list) and len(value) > limit:
            yield f"'{here}' has {len(value)} entries, the maximum is {limit}"
        longest = _MAX_CHARACTERS.get(f"{schema}.{name}")
        if longest is not None and any(len(text) > longest for text in _texts(value)):
            yield f"'{here}' is longer than {longest} characters"
        rule = SCHEMAS[schema]["properties"][name]
        children = value if isinstance(value, list) else [value]
        ref = rule.get("$ref") or rule.get("items", {}).get("$ref")
        for index, child in enumerate(children if ref else ()):
            yield from content_problems(ref, child, f"{here}[{index}]" if isinstance(value, list) else here)
    yield from _format_problems(schema, present, path)


def _format_problems(schema: str, body: Json, path: str) -> Iterator[str]:  # noqa: C901, PLR0912 - a table in prose
    match schema:
        case "LoyaltyClass" | "OfferClass":
            if "hexBackgroundColor" in body and not _COLOUR.match(body["hexBackgroundColor"]):
                yield "'hexBackgroundColor' must be #rgb or #rrggbb"
        case "LoyaltyObject" if "disableExpirationNotification" in body:
            yield "'disableExpirationNotification' is for offers only"
        case "Money" if not {"micros", "currencyCode"} <= set(body):
            yield f"'{path}' needs both micros and currencyCode"
        case "Money" if not re.fullmatch(r"[A-Z]{3}", body["currencyCode"]):
            yield f"'{path}.currencyCode' must be an ISO 4217 code"
        case "TimeInterval":
            yield from _interval_problems(body, path)
        case "LocalizedString" if "defaultValue" not in body:
            yield f"'{path}' needs a defaultValue"
        case "TranslatedString" if not _LANGUAGE.match(body.get("language", "")) or "value" not in body:
            yield f"'{path}' needs a BCP 47 language (with hyphens) and a value"
        case "ImageUri" if not _fetchable(body.get("uri", "")):
            yield f"'{path}.uri' must be a public https address"
        case "CallbackOptions" if not _fetchable(body.get("url", "")):
            yield f"'{path}.url' must be an https address"
        case "Uri" if not urlsplit(body.get("uri", "")).scheme:
            yield f"'{path}.uri' needs a scheme such as https: or tel:"
        case "TextModuleData" if "id" in body and not _MODULE_ID.match(body["id"]):
            yield f"'{path}.id' may hold letters, digits, hyphen and underscore only"
        case "MerchantLocation" | "LatLongPoint":
            if abs(body.get("latitude", 999)) > 90 or abs(body.get("longitude", 999)) > 180:
                yield f"'{path}' is no place on earth"
        case "Barcode" if body.get("type") == "TEXT_ONLY" and "alternateText" in body:
            yield f"'{path}.alternateText' is not allowed with TEXT_ONLY"
        case "Barcode" if "renderEncoding" in body and body.get("type") != "QR_CODE":
            yield f"'{path}.renderEncoding' is for QR_CODE only"
        case "RotatingBarcode" if body.get("type") not in ("QR_CODE", "PDF_417"):
            yield f"'{path}.type' must be QR_CODE or PDF_417"
        case "RotatingBarcodeTotpDetailsTotpParameters" if not _HEX_KEY.match(body.get("key", "")):
            yield f"'{path}.key' must be hexadecimal"
        case "SaveRestrictions" if not _EMAIL_HASH.match(body.get("restrictToEmailSha256", "0" * 64)):
            yield f"'{path}.restrictToEmailSha256' must be 64 lower-case hexadecimal digits"
        case "Message" if body.get("messageType") == "EXPIRATION_NOTIFICATION":
            yield f"'{path}.messageType' EXPIRATION_NOTIFICATION is not supported"


def _interval_problems(body: Json, path: str) -> Iterator[str]:
    dates = [body[end].get("date", "") for end in ("start", "end") if end in body]
    for date in dates:
        try:
            datetime.fromisoformat(date)
        except ValueError:
            yield f"'{path}' holds {date[:40]!r}, which is no ISO 8601 date"
            return
    if len({bool(_OFFSET.search(date)) for date in dates}) > 1:
        yield f"'{path}': start and end must both carry an offset, or neither"
    elif len(dates) == 2 and datetime.fromisoformat(dates[0]) > datetime.fromisoformat(dates[1]):
        yield f"'{path}' ends before it starts"


def _fetchable(address: str) -> bool:
    """https anywhere, or http on this machine: the one liberty a sandbox needs."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for translated in [value.get("defaultValue"), *(value.get("translatedValues") or ())]:
            if isinstance(translated, dict) and isinstance(translated.get("value"), str):
                yield translated["value"]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
