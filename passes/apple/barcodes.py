"""What each barcode symbol can carry."""

import codecs
import re
from functools import lru_cache

CLASSIC_FORMATS = frozenset({"PKBarcodeFormatQR", "PKBarcodeFormatPDF417", "PKBarcodeFormatAztec"})
IOS_27_FORMATS = frozenset(
    {"PKBarcodeFormatCode39", "PKBarcodeFormatCodabar", "PKBarcodeFormatEAN13", "PKBarcodeFormatI2of5"}
)
WATCHLESS_FORMATS = frozenset({"PKBarcodeFormatCode128"})
FORMATS = CLASSIC_FORMATS | IOS_27_FORMATS | WATCHLESS_FORMATS

# IANA names without the codecs of Python that are none (rot13, base64, idna, ...).
_CHARSET = re.compile(
    r"iso-8859-\d{1,2}|utf-(8|16|16be|16le|32)|us-ascii|windows-\d{3,4}|shift_jis|euc-(jp|kr)|gb18030|gb2312|big5"
)
_CONTENT = {
    "PKBarcodeFormatCode39": (re.compile(r"[0-9A-Z \-.$/+%]+"), "capital letters, digits, space and - . $ / + %"),
    "PKBarcodeFormatCodabar": (re.compile(r"[A-Da-d]?[0-9\-$:/.+]+[A-Da-d]?"), "digits and - $ : / . +"),
    "PKBarcodeFormatI2of5": (re.compile(r"([0-9]{2})+"), "an even count of digits"),
    "PKBarcodeFormatCode128": (re.compile(r"[\x00-\x7f]+"), "ASCII characters"),
}


def message_bytes(message: str, encoding: str) -> bytes | None:
    """Encode a message as the scanner will read it; None if the charset is unknown or lacks a character."""
    codec = _codec(encoding)
    try:
        return message.encode(codec) if codec else None
    except UnicodeError:
        return None


@lru_cache(maxsize=64)
def _codec(encoding: str) -> str | None:
    if not _CHARSET.fullmatch(encoding.lower()):
        return None
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return None


def content_problem(format_name: str, message: str) -> str | None:
    """Say why a symbol cannot carry a message; None if it can."""
    if not message:
        return "the message is empty"
    if format_name == "PKBarcodeFormatEAN13":
        return _ean13_problem(message)
    if format_name in _CONTENT and not _CONTENT[format_name][0].fullmatch(message):
        return f"{format_name} carries only {_CONTENT[format_name][1]}"
    return None


def ean13_check_digit(digits: str) -> str:
    """The thirteenth digit that belongs to twelve."""
    return str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits[:12])) % 10)


def _ean13_problem(message: str) -> str | None:
    if not re.fullmatch(r"[0-9]{12,13}", message):
        return "EAN-13 carries 12 digits, or 13 with the check digit"
    if len(message) == 13 and message[12] != ean13_check_digit(message):
        return f"the check digit of {message} should be {ean13_check_digit(message)}"
    return None
