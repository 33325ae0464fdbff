"""Barcodes: drawn on every device, and readable at the till."""

from collections.abc import Iterator, Mapping

from passes.apple import barcodes
from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.fields import unknown_value
from passes.apple.lint.subject import Json, Subject, objects, place, shown

QR_BYTES_GOOD = 200
RULES = Rulebook()
INCOMPLETE = RULES.error(
    "barcode-incomplete", "a barcode needs format, message and messageEncoding", "add the missing key"
)
NOT_ENCODABLE = RULES.error(
    "barcode-not-encodable",
    "the message cannot be written in its messageEncoding",
    "use utf-8, or remove the characters that the charset lacks",
)
CONTENT = RULES.error("barcode-content", "the symbol cannot carry this message", "use another format or message")
ALL_NEW = RULES.warning(
    "barcodes-ios27-only", "before iOS 27 the pass shows no barcode at all", "add a QR code at the end of barcodes"
)
NO_WATCH = RULES.warning(
    "barcodes-watch-none", "a watch draws no Code 128, so it shows no barcode", "add a QR code at the end of barcodes"
)
ORDER = RULES.note(
    "barcodes-order",
    "the phone draws the first symbol it knows, so a newer one behind a classic one is never seen",
    "put the newest format first and a classic one last",
)
LEGACY_ONLY = RULES.note(
    "barcode-deprecated", "barcode is the deprecated key; barcodes is missing", "write the same object into barcodes"
)
LEGACY_FORMAT = RULES.error(
    "barcode-legacy-format",
    "the old key barcode takes QR, PDF417 and Aztec only",
    "put other formats into barcodes alone",
)
NOT_LATIN = RULES.note(
    "barcode-utf-8",
    "some scanners misread a message in UTF-8 that is not ASCII",
    "keep the message to ASCII if you can",
)
LONG = RULES.note(
    "barcode-long", "a QR code of more than 200 bytes is hard to scan from a watch", "carry only a short code"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at barcodes and the old barcode."""
    codes = [code for _, code in objects(subject.document, "barcodes")]
    for where, code in objects(subject.document, "barcodes"):
        yield from _code(where, code)
    formats = [_format(code) for code in codes]
    if formats and all(one in barcodes.IOS_27_FORMATS for one in formats):
        yield ALL_NEW.found(place("barcodes"))
    elif formats and all(one in barcodes.IOS_27_FORMATS | barcodes.WATCHLESS_FORMATS for one in formats):
        yield NO_WATCH.found(place("barcodes"))
    classic_at = next((i for i, one in enumerate(formats) if one in barcodes.CLASSIC_FORMATS), len(formats))
    if any(one in barcodes.FORMATS - barcodes.CLASSIC_FORMATS for one in formats[classic_at:]):
        yield ORDER.found(place("barcodes"))
    legacy = subject.document.get("barcode")
    if isinstance(legacy, Mapping):
        yield from _code(place("barcode"), legacy)
        if _format(legacy) in barcodes.FORMATS - barcodes.CLASSIC_FORMATS:
            yield LEGACY_FORMAT.found(place("barcode"), shown(legacy["format"]))
        if "barcodes" not in subject.document:
            yield LEGACY_ONLY.found(place("barcode"))


def _format(code: Json) -> str:
    name = code.get("format")
    return name if isinstance(name, str) else ""


def _code(where: str, code: Json) -> Iterator[Finding]:
    missing = [key for key in ("format", "message", "messageEncoding") if key not in code]
    if missing:
        yield INCOMPLETE.found(where, f"{' and '.join(missing)} missing")
    name, message, encoding = code.get("format"), code.get("message"), code.get("messageEncoding", "iso-8859-1")
    if isinstance(name, str) and name not in barcodes.FORMATS:
        yield unknown_value(f"{where}.format", name, sorted(barcodes.FORMATS))
    if not isinstance(message, str) or not isinstance(encoding, str):
        return
    data = barcodes.message_bytes(message, encoding)
    if data is None:
        yield NOT_ENCODABLE.found(f"{where}.message", f"in {shown(encoding)}")
    elif encoding.lower() == "utf-8" and not message.isascii():
        yield NOT_LATIN.found(f"{where}.messageEncoding")
    if isinstance(name, str) and (problem := barcodes.content_problem(name, message)):
        yield CONTENT.found(f"{where}.message", problem)
    if data is not None and name == "PKBarcodeFormatQR" and len(data) > QR_BYTES_GOOD:
        yield LONG.found(f"{where}.message", f"{len(data)} bytes")
