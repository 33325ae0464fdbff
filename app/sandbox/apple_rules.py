"""The rules of pass.json: what Wallet refuses, and what it silently drops."""

import codecs
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from app.sandbox.apple_fields import check_fields, groups_of
from app.sandbox.apple_findings import Findings
from app.sandbox.phone_time import utc_now

CLASSIC_STYLES = ("boardingPass", "coupon", "eventTicket", "generic", "storeCard")
REQUIRED = ("passTypeIdentifier", "teamIdentifier", "serialNumber", "organizationName", "description")
KNOWN_KEYS = frozenset(
    {*REQUIRED, *CLASSIC_STYLES, "formatVersion", "posterGeneric", "webServiceURL", "authenticationToken"}
    | {"barcodes", "barcode", "expirationDate", "voided", "relevantDates", "relevantDate", "locations", "maxDistance"}
    | {"beacons", "backgroundColor", "foregroundColor", "labelColor", "stripColor", "logoText", "suppressStripShine"}
    | {"sharingProhibited", "associatedStoreIdentifiers", "appLaunchURL", "userInfo", "semantics", "nfc"}
    | {"featuredActions", "groupingIdentifier", "logoSymbolName", "suppressHeaderDarkening"}
)
CLASSIC_BARCODES = ("PKBarcodeFormatQR", "PKBarcodeFormatPDF417", "PKBarcodeFormatAztec", "PKBarcodeFormatCode128")
NEW_BARCODES = (
    "PKBarcodeFormatCode39",
    "PKBarcodeFormatCodabar",
    "PKBarcodeFormatEAN13",
    "PKBarcodeFormatI2of5",
)
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
COLOUR = re.compile(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)|#[0-9A-Fa-f]{3}(?:[0-9A-Fa-f]{3})?")
TOKEN_CHARACTERS_MIN = 16
PLACES_MAX = 10


def parse_date(text: object) -> datetime | None:
    """A complete date with its zone, None for anything Wallet would not read."""
    if not isinstance(text, str) or not DATE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def check_pass(content: dict[str, Any], findings: Findings, *, allow_http: bool) -> None:
    """Check everything that pass.json says by itself."""
    if content.get("formatVersion") != 1 or isinstance(content.get("formatVersion"), bool | float):
        findings.refuse("pass.formatVersion", "formatVersion is not the number 1.")
    for key in REQUIRED:
        if not isinstance(content.get(key), str) or not content[key]:
            findings.refuse(f"pass.{key}", f"{key} must be a text; it is {content.get(key)!r}.")
    _check_style(content, findings)
    _check_service(content, findings, allow_http=allow_http)
    _check_barcodes(content, findings)
    _check_values(content, findings)
    _check_places(content, findings)
    check_fields(content, findings)
    for key in sorted(set(content) - KNOWN_KEYS):
        findings.defect("pass.unknown", f"{key} is not a key of Wallet and is ignored.")
    for key, value in content.items():
        if value is None:
            findings.refuse("pass.null", f"{key} is null; leave it out instead.")


def _check_style(content: dict[str, Any], findings: Findings) -> None:
    styles = [style for style in CLASSIC_STYLES if style in content]
    if len(styles) != 1:
        findings.refuse("pass.style", f"The pass needs exactly one style; it has {', '.join(styles) or 'none'}.")
    for style in styles:
        if not isinstance(content[style], dict):
            findings.refuse("pass.style", f"{style} is not an object.")
    if "storeCard" in styles:
        groups = groups_of(content)
        row = len(groups["secondaryFields"]) + len(groups["auxiliaryFields"])
        for name, count, limit in (
            ("headerFields", len(groups["headerFields"]), 3),
            ("primaryFields", len(groups["primaryFields"]), 1),
            ("secondaryFields and auxiliaryFields together", row, 4),
        ):
            if count > limit:
                findings.defect("pass.row", f"A store card shows {limit} {name}; this one has {count}.")


def _check_service(content: dict[str, Any], findings: Findings, *, allow_http: bool) -> None:
    url, token = content.get("webServiceURL"), content.get("authenticationToken")
    if (url is None) != (token is None):
        findings.refuse("service.pair", "webServiceURL and authenticationToken come together or not at all.")
    if url is not None:
        _check_service_url(url, findings, allow_http=allow_http)
    if token is not None and (not isinstance(token, str) or len(token) < TOKEN_CHARACTERS_MIN):
        findings.refuse("service.token", f"authenticationToken needs {TOKEN_CHARACTERS_MIN} characters or more.")
    elif isinstance(token, str) and (not token.isascii() or not token.isprintable() or " " in token):
        findings.refuse("service.token", "authenticationToken must be printable ASCII without spaces.")


def _check_service_url(url: object, findings: Findings, *, allow_http: bool) -> None:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or not parts.hostname or parts.port == 0:
            raise ValueError(url)
    except ValueError:
        findings.refuse("service.url", f"webServiceURL {url!r} is no address.")
        return
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http):
        findings.refuse("service.https", "webServiceURL must be https (http needs the developer switch).")
    if parts.path.endswith("/"):
        findings.defect("service.slash", "webServiceURL ends in a slash, which some readers double.")
    if parts.path.rstrip("/").endswith("/v1"):
        findings.defect("service.v1", "webServiceURL ends in /v1, and the phone appends /v1 again.")


def _check_barcodes(content: dict[str, Any], findings: Findings) -> None:
    barcodes = content.get("barcodes", [])
    if not isinstance(barcodes, list):
        findings.refuse("barcode.array", "barcodes must be an array.")
        return
    for barcode in barcodes:
        _check_barcode(barcode, (*CLASSIC_BARCODES, *NEW_BARCODES), findings)
    if "barcode" in content:
        _check_barcode(content["barcode"], CLASSIC_BARCODES[:3], findings)
    formats = [item.get("format") for item in barcodes if isinstance(item, dict)]
    if formats and not set(formats) & set(CLASSIC_BARCODES):
        findings.defect("barcode.new", "Phones before iOS 27 show this card without a barcode.")


def _check_barcode(barcode: object, formats: tuple[str, ...], findings: Findings) -> None:
    if not isinstance(barcode, dict):
        findings.refuse("barcode.object", "A barcode must be an object.")
        return
    if barcode.get("format") not in formats:
        findings.refuse("barcode.format", f"{barcode.get('format')!r} is no barcode format for this place.")
    message, encoding = barcode.get("message"), barcode.get("messageEncoding")
    if not isinstance(message, str) or not message:
        findings.refuse("barcode.message", "A barcode needs a message.")
        return
    try:
        message.encode(codecs.lookup(encoding if isinstance(encoding, str) else "").name)
    except (LookupError, UnicodeError):
        findings.refuse("barcode.encoding", f"The message of the barcode cannot be written in {encoding!r}.")
    if "altText" in barcode and not isinstance(barcode["altText"], str):
        findings.refuse("barcode.altText", "altText must be a text.")


def _check_values(content: dict[str, Any], findings: Findings) -> None:
    _check_dates(content, findings)
    for key in ("backgroundColor", "foregroundColor", "labelColor", "stripColor"):
        if key in content and not _is_colour(content[key]):
            findings.refuse("pass.colour", f"{key} {content[key]!r} is no colour such as rgb(20,40,60).")
    for key in ("voided", "suppressStripShine", "sharingProhibited"):
        if key in content and not isinstance(content[key], bool):
            findings.refuse("pass.boolean", f"{key} must be true or false.")
    if not isinstance(content.get("logoText", ""), str):
        findings.refuse("pass.logoText", "logoText must be a text.")
    ids = content.get("associatedStoreIdentifiers", [])
    if not isinstance(ids, list) or not all(isinstance(item, int) and not isinstance(item, bool) for item in ids):
        findings.refuse("pass.storeIds", "associatedStoreIdentifiers must be an array of numbers.")
    if "appLaunchURL" in content and not ids:
        findings.defect("pass.appLaunchURL", "appLaunchURL needs associatedStoreIdentifiers.")
    if "nfc" in content:
        findings.refuse("pass.nfc", "Passes with NFC must be signed with an enhanced certificate.")


def _check_dates(content: dict[str, Any], findings: Findings) -> None:
    for key in ("expirationDate", "relevantDate"):
        if key in content and parse_date(content[key]) is None:
            findings.refuse("pass.date", f"{key} {content[key]!r} is no complete date with a zone.")
    expires_at = parse_date(content.get("expirationDate"))
    if expires_at is not None and expires_at <= utc_now():
        findings.defect("pass.expired", "The pass has expired and lands among the expired ones.")
    if "relevantDate" in content and "storeCard" in content:
        findings.defect("pass.relevantDate", "A store card cannot surface at a time; relevantDate is ignored.")


def _is_colour(value: object) -> bool:
    match = COLOUR.fullmatch(value) if isinstance(value, str) else None
    return match is not None and all(part is None or int(part) <= 255 for part in match.groups())


def _within(value: object, limit: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= limit


def _check_places(content: dict[str, Any], findings: Findings) -> None:
    for key in ("locations", "beacons"):
        places = content.get(key, [])
        if not isinstance(places, list) or not all(isinstance(place, dict) for place in places):
            findings.refuse(f"pass.{key}", f"{key} must be an array of objects.")
            continue
        if len(places) > PLACES_MAX:
            findings.defect(f"pass.{key}", f"Wallet uses {PLACES_MAX} {key}; the pass has {len(places)}.")
        for place in places if key == "locations" else []:
            if not _within(place.get("latitude"), 90) or not _within(place.get("longitude"), 180):
                findings.refuse("pass.coordinates", f"{place!r} is no place with a latitude and a longitude.")
    if "maxDistance" in content and not _within(content["maxDistance"], 10**9):
        findings.defect("pass.maxDistance", "maxDistance must be a number; it is dropped.")
