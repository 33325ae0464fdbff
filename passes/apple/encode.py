"""A card -> the bytes of pass.json, in Apple's spelling and a stable order of keys."""

import base64
import binascii
import re
from collections.abc import Iterator
from decimal import Decimal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from passes.apple import addresses, barcodes, fieldtext
from passes.apple.jsontext import Writer
from passes.apple.model import Barcode, Beacon, Colour, FeaturedAction, Location, Nfc, Pass, RelevantDate
from passes.errors import InvalidPass

HEADER_FIELDS_MAX = 3
PRIMARY_FIELDS_MAX = 1
SHARED_ROW_FIELDS_MAX = 4  # secondary and auxiliary together
LOCATIONS_MAX = 10
BEACONS_MAX = 10
FEATURED_ACTIONS_MAX = 2
NFC_MESSAGE_BYTES_MAX = 64


def encode(card: Pass) -> bytes:
    """Write pass.json, UTF-8: equal cards give equal bytes.

    Raises: InvalidPass, with everything that Wallet would refuse, drop or show wrongly.
    Source: Apple, Wallet Passes, "Pass", "PassFields", "PassFieldContent", "Pass.Barcodes".
    """
    out = Writer()
    parts = [
        '"formatVersion":1',
        *_identity(out, card),
        *_service(out, card),
        *_validity(out, card),
        *_barcodes(out, card),
        *_relevance(out, card),
        *_look(out, card),
        *_extras(out, card),
        _style(out, card),
    ]
    if out.problems:
        raise InvalidPass(out.problems)
    return ("{" + ",".join(parts) + "}").encode()


def _identity(out: Writer, card: Pass) -> Iterator[str]:
    for name, value, pattern, form in (
        ("pass_type_identifier", card.pass_type_identifier, addresses.PASS_TYPE, "pass.com.example.card"),
        ("team_identifier", card.team_identifier, addresses.TEAM, "ten capital letters and digits"),
        ("serial_number", card.serial_number, addresses.SERIAL, "1 to 64 of A-Z a-z 0-9 . _ -"),
    ):
        if isinstance(value, str) and not pattern.fullmatch(value):
            out.fault(name, f"{value[:40]!r} does not have the form: {form}")
    yield f'"passTypeIdentifier":{out.filled("pass_type_identifier", card.pass_type_identifier)}'
    yield f'"teamIdentifier":{out.filled("team_identifier", card.team_identifier)}'
    yield f'"serialNumber":{out.filled("serial_number", card.serial_number)}'
    yield f'"organizationName":{out.filled("organization_name", card.organization_name)}'
    yield f'"description":{out.filled("description", card.description)}'


def _service(out: Writer, card: Pass) -> Iterator[str]:
    url, token = card.web_service_url, card.authentication_token
    if (url is None) != (token is None):
        out.fault("web_service_url", "goes together with authentication_token; give both or neither")
    if url is not None:
        if problem := addresses.web_service_url_problem(url):
            out.fault("web_service_url", problem)
        yield f'"webServiceURL":{out.text("web_service_url", url)}'
    if token is not None:
        if not addresses.TOKEN.fullmatch(token):
            out.fault("authentication_token", "needs 16 to 256 ASCII characters without spaces and without =")
        yield f'"authenticationToken":{out.text("authentication_token", token)}'


def _validity(out: Writer, card: Pass) -> Iterator[str]:
    if card.expires_at is not None:
        yield f'"expirationDate":{out.date("expires_at", card.expires_at)}'
    if card.voided:
        yield '"voided":true'


def _barcodes(out: Writer, card: Pass) -> Iterator[str]:
    if not card.barcodes:
        return
    texts = [_barcode(out, f"barcodes[{i}]", code) for i, code in enumerate(card.barcodes)]
    yield f'"barcodes":[{",".join(texts)}]'
    if card.legacy_barcode:
        for code, text in zip(card.barcodes, texts, strict=True):
            if code.format.value in barcodes.CLASSIC_FORMATS:
                yield f'"barcode":{text}'
                return


def _barcode(out: Writer, where: str, code: Barcode) -> str:
    if barcodes.message_bytes(code.message, code.encoding) is None:
        out.fault(where, f"the message cannot be written in the charset {code.encoding[:20]!r}; use utf-8")
    if problem := barcodes.content_problem(code.format.value, code.message):
        out.fault(where, problem)
    alt_text = "" if code.alt_text is None else f',"altText":{out.text(f"{where}.alt_text", code.alt_text)}'
    return (
        f'{{"format":"{code.format.value}","message":{out.text(where, code.message)},'
        f'"messageEncoding":{out.text(where, code.encoding)}{alt_text}}}'
    )


def _relevance(out: Writer, card: Pass) -> Iterator[str]:
    if len(card.locations) > LOCATIONS_MAX:
        out.fault("locations", f"holds {len(card.locations)}; Wallet takes {LOCATIONS_MAX}, so choose the nearest")
    if len(card.beacons) > BEACONS_MAX:
        out.fault("beacons", f"holds {len(card.beacons)}; Wallet takes {BEACONS_MAX}")
    if card.locations:
        yield f'"locations":[{",".join(_location(out, f"locations[{i}]", x) for i, x in enumerate(card.locations))}]'
    if card.max_distance_m is not None:
        if _below(card.max_distance_m, 0):
            out.fault("max_distance_m", "must not be negative")
        yield f'"maxDistance":{out.number("max_distance_m", card.max_distance_m)}'
    if card.beacons:
        yield f'"beacons":[{",".join(_beacon(out, f"beacons[{i}]", x) for i, x in enumerate(card.beacons))}]'
    if card.relevant_dates:
        dates = (_relevant_date(out, f"relevant_dates[{i}]", x) for i, x in enumerate(card.relevant_dates))
        yield f'"relevantDates":[{",".join(dates)}]'


def _below(value: int | Decimal, limit: int) -> bool:
    return isinstance(value, int | Decimal) and not (isinstance(value, Decimal) and value.is_nan()) and value < limit


def _location(out: Writer, where: str, place: Location) -> str:
    parts = []
    for name, value, limit in (("latitude", place.latitude, 90), ("longitude", place.longitude, 180)):
        if _below(value, -limit) or _below(-value, -limit):
            out.fault(where, f"{name} {value} is not between -{limit} and {limit}")
        parts.append(f'"{name}":{out.number(f"{where}.{name}", value)}')
    if place.altitude_m is not None:
        parts.append(f'"altitude":{out.number(f"{where}.altitude_m", place.altitude_m)}')
    if place.relevant_text is not None:
        parts.append(f'"relevantText":{out.filled(f"{where}.relevant_text", place.relevant_text)}')
    return "{" + ",".join(parts) + "}"


def _beacon(out: Writer, where: str, beacon: Beacon) -> str:
    parts = [f'"proximityUUID":"{str(beacon.proximity_uuid).upper()}"']
    for name, value in (("major", beacon.major), ("minor", beacon.minor)):
        if value is not None:
            if _below(value, 0) or _below(-value, -65535):
                out.fault(where, f"{name} {value} is not between 0 and 65535")
            parts.append(f'"{name}":{out.number(f"{where}.{name}", value)}')
    if beacon.relevant_text is not None:
        parts.append(f'"relevantText":{out.filled(f"{where}.relevant_text", beacon.relevant_text)}')
    return "{" + ",".join(parts) + "}"


def _relevant_date(out: Writer, where: str, moment: RelevantDate) -> str:
    start = out.date(where, moment.starts_at)
    if moment.ends_at is None:
        # Early iOS 18 reads the one name, iOS 26 the other.
        return f'{{"date":{start},"relevantDate":{start}}}'
    end = out.date(where, moment.ends_at)
    if "null" not in {start, end} and moment.ends_at <= moment.starts_at:
        out.fault(where, "ends before it starts")
    return f'{{"startDate":{start},"endDate":{end}}}'


def _look(out: Writer, card: Pass) -> Iterator[str]:
    for name, key, colour in (
        ("background_colour", "backgroundColor", card.background_colour),
        ("foreground_colour", "foregroundColor", card.foreground_colour),
        ("label_colour", "labelColor", card.label_colour),
        ("strip_colour", "stripColor", card.strip_colour),
    ):
        if colour is not None:
            yield f'"{key}":"{_colour(out, name, colour)}"'
    if card.logo_text is not None:
        yield f'"logoText":{out.text("logo_text", card.logo_text)}'
    if card.suppress_strip_shine is not None:
        yield f'"suppressStripShine":{"true" if card.suppress_strip_shine else "false"}'


def _colour(out: Writer, where: str, colour: Colour) -> str:
    if not all(isinstance(part, int) and 0 <= part <= 255 for part in (colour.red, colour.green, colour.blue)):
        out.fault(where, "each part of a colour is a whole number from 0 to 255")
    return colour.css


def _extras(out: Writer, card: Pass) -> Iterator[str]:
    yield from _companion_app(out, card)
    if card.sharing_prohibited:
        yield '"sharingProhibited":true'
    if card.semantics is not None:
        yield f'"semantics":{fieldtext.semantics(out, "semantics", card.semantics)}'
    if card.nfc is not None:
        yield f'"nfc":{_nfc(out, card.nfc)}'
    if card.featured_actions:
        yield f'"featuredActions":{_featured_actions(out, card.featured_actions)}'


def _companion_app(out: Writer, card: Pass) -> Iterator[str]:
    if card.associated_store_identifiers:
        if any(_below(number, 1) for number in card.associated_store_identifiers):
            out.fault("associated_store_identifiers", "an App Store id is a positive number")
        numbers = (out.number("associated_store_identifiers", number) for number in card.associated_store_identifiers)
        yield f'"associatedStoreIdentifiers":[{",".join(numbers)}]'
    if card.app_launch_url is not None:
        if not card.associated_store_identifiers:
            out.fault("app_launch_url", "needs associated_store_identifiers")
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", card.app_launch_url):
            out.fault("app_launch_url", "needs a scheme, such as https: or myshop:")
        yield f'"appLaunchURL":{out.text("app_launch_url", card.app_launch_url)}'
    if card.user_info is not None:
        yield f'"userInfo":{out.json("user_info", card.user_info)}'


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
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", action.url):
            out.fault(where, "the url needs a scheme, such as https:")
        texts.append(
            f'{{"identifier":{out.filled(where, action.identifier)},"type":"{action.type.value}",'
            f'"url":{out.text(where, action.url)}}}'
        )
    return f"[{','.join(texts)}]"


def _style(out: Writer, card: Pass) -> str:
    if len(card.header) > HEADER_FIELDS_MAX:
        out.fault("header", f"holds {len(card.header)} fields; Wallet shows {HEADER_FIELDS_MAX}")
    if len(card.primary) > PRIMARY_FIELDS_MAX:
        out.fault("primary", f"holds {len(card.primary)} fields; Wallet shows {PRIMARY_FIELDS_MAX}")
    if (count := len(card.secondary) + len(card.auxiliary)) > SHARED_ROW_FIELDS_MAX:
        out.fault("secondary", f"with auxiliary it holds {count} fields; they share one row of {SHARED_ROW_FIELDS_MAX}")
    seen: set[str] = set()
    groups = (
        f'"{group}Fields":{fieldtext.fields(out, group, items, seen)}'
        for group, items in (
            ("header", card.header),
            ("primary", card.primary),
            ("secondary", card.secondary),
            ("auxiliary", card.auxiliary),
            ("back", card.back),
        )
        if items
    )
    return f'"{card.style}":{{{",".join(groups)}}}'
