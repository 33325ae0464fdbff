"""A card -> the bytes of pass.json, in Apple's spelling and a stable order of keys."""

from functools import lru_cache

from passes.apple import addresses, barcodes, fieldtext
from passes.apple.extras import extras
from passes.apple.jsontext import Writer, plain, remember, remembered
from passes.apple.model import Barcode, BarcodeFormat, Colour, Pass
from passes.apple.relevance import relevance
from passes.errors import InvalidPass

HEADER_FIELDS_MAX = 3
PRIMARY_FIELDS_MAX = 1
SHARED_ROW_FIELDS_MAX = 4  # secondary and auxiliary together
_CLASSIC = (BarcodeFormat.QR, BarcodeFormat.PDF417, BarcodeFormat.AZTEC)


def encode(card: Pass) -> bytes:
    """Write pass.json, UTF-8: equal cards give equal bytes.

    Raises: InvalidPass, with everything that Wallet would refuse, drop or show wrongly.
    Source: Apple, Wallet Passes, "Pass", "PassFields", "PassFieldContent", "Pass.Barcodes".
    """
    out = Writer()
    parts = ['"formatVersion":1']
    for section in (_identity, _service, _validity, _barcodes, relevance, _look, extras):
        section(out, card, parts)
    parts.append(_style(out, card))
    if out.problems:
        raise InvalidPass(out.problems)
    return f"{{{','.join(parts)}}}".encode()


def _identity(out: Writer, card: Pass, parts: list[str]) -> None:
    text, problems = _issuer(card.pass_type_identifier, card.team_identifier, card.organization_name, card.description)
    out.problems.extend(problems)
    parts.append(text)
    if isinstance(card.serial_number, str) and addresses.SERIAL.fullmatch(card.serial_number):
        parts.append(f'"serialNumber":"{card.serial_number}"')
    else:
        out.fault("serial_number", f"{str(card.serial_number)[:40]!r} needs 1 to 64 of A-Z a-z 0-9 . _ -")


@lru_cache(maxsize=256)
def _issuer(pass_type: str, team: str, organization: str, description: str) -> tuple[str, tuple[str, ...]]:
    """What all cards of one programme share, with its faults."""
    out = Writer()
    if not isinstance(pass_type, str) or not addresses.PASS_TYPE.fullmatch(pass_type):
        out.fault("pass_type_identifier", f"{str(pass_type)[:40]!r} does not have the form: pass.com.example.card")
    if not isinstance(team, str) or not addresses.TEAM.fullmatch(team):
        out.fault("team_identifier", f"{str(team)[:40]!r} is not ten capital letters and digits")
    text = (
        f'"passTypeIdentifier":"{pass_type}","teamIdentifier":"{team}",'
        f'"organizationName":{out.filled("organization_name", organization)},'
        f'"description":{out.filled("description", description)}'
    )
    return text, tuple(out.problems)


def _service(out: Writer, card: Pass, parts: list[str]) -> None:
    url, token = card.web_service_url, card.authentication_token
    if (url is None) != (token is None):
        out.fault("web_service_url", "goes together with authentication_token; give both or neither")
    if url is not None:
        if problem := addresses.web_service_url_problem(url):
            out.fault("web_service_url", problem)
        parts.append(f'"webServiceURL":{plain(url) or out.text("web_service_url", url)}')
    if token is not None:
        if not addresses.TOKEN.fullmatch(token):
            out.fault("authentication_token", "needs 16 to 256 ASCII characters without spaces and without =")
        parts.append(f'"authenticationToken":{plain(token) or out.text("authentication_token", token)}')


def _validity(out: Writer, card: Pass, parts: list[str]) -> None:
    if card.expires_at is not None:
        parts.append(f'"expirationDate":{out.date("expires_at", card.expires_at)}')
    if card.voided:
        parts.append('"voided":true')


def _barcodes(out: Writer, card: Pass, parts: list[str]) -> None:
    if not card.barcodes:
        return
    texts: list[str] = []
    legacy = None
    for code in card.barcodes:
        text = remembered(code) or _barcode(out, f"barcodes[{len(texts)}]", code)
        texts.append(text)
        if legacy is None and code.format in _CLASSIC:
            legacy = text
    parts.append(f'"barcodes":[{",".join(texts)}]')
    if legacy is not None and card.legacy_barcode:
        parts.append(f'"barcode":{legacy}')


def _barcode(out: Writer, where: str, code: Barcode) -> str:
    known = len(out.problems)
    if barcodes.message_bytes(code.message, code.encoding) is None:
        out.fault(where, f"the message cannot be written in the charset {code.encoding[:20]!r}; use utf-8")
    name = code.format.value
    if problem := barcodes.content_problem(name, code.message):
        out.fault(where, problem)
    alt_text = "" if code.alt_text is None else f',"altText":{out.text(f"{where}.alt_text", code.alt_text)}'
    message = plain(code.message) or out.text(where, code.message)
    encoding = plain(code.encoding) or out.text(where, code.encoding)
    text = f'{{"format":"{name}","message":{message},"messageEncoding":{encoding}{alt_text}}}'
    if len(out.problems) == known:
        remember(code, text)
    return text


def _look(out: Writer, card: Pass, parts: list[str]) -> None:
    for name, key, colour in (
        ("background_colour", "backgroundColor", card.background_colour),
        ("foreground_colour", "foregroundColor", card.foreground_colour),
        ("label_colour", "labelColor", card.label_colour),
        ("strip_colour", "stripColor", card.strip_colour),
    ):
        if colour is not None:
            parts.append(f'"{key}":"{_colour(out, name, colour)}"')
    if card.logo_text is not None:
        parts.append(f'"logoText":{out.text("logo_text", card.logo_text)}')
    if card.suppress_strip_shine is not None:
        parts.append(f'"suppressStripShine":{"true" if card.suppress_strip_shine else "false"}')


def _colour(out: Writer, where: str, colour: Colour) -> str:
    if (text := remembered(colour)) is not None:
        return text
    if not all(isinstance(part, int) and 0 <= part <= 255 for part in (colour.red, colour.green, colour.blue)):
        out.fault(where, "each part of a colour is a whole number from 0 to 255")
    else:
        remember(colour, colour.css)
    return colour.css


def _style(out: Writer, card: Pass) -> str:
    if len(card.header) > HEADER_FIELDS_MAX:
        out.fault("header", f"holds {len(card.header)} fields; Wallet shows {HEADER_FIELDS_MAX}")
    if len(card.primary) > PRIMARY_FIELDS_MAX:
        out.fault("primary", f"holds {len(card.primary)} fields; Wallet shows {PRIMARY_FIELDS_MAX}")
    if (count := len(card.secondary) + len(card.auxiliary)) > SHARED_ROW_FIELDS_MAX:
        out.fault("secondary", f"with auxiliary it holds {count} fields; they share one row of {SHARED_ROW_FIELDS_MAX}")
    seen: set[str] = set()
    groups = []
    for group, items in (
        ("header", card.header),
        ("primary", card.primary),
        ("secondary", card.secondary),
        ("auxiliary", card.auxiliary),
        ("back", card.back),
    ):
        if items:
            groups.append(f'"{group}Fields":{fieldtext.fields(out, group, items, seen)}')
    return f'"{card.style}":{{{",".join(groups)}}}'
