"""Exact JSON text: decimals digit by digit, dates with a zone, strings that survive UTF-8."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring

# Beyond this a phone's parser rounds or overflows, and an exponent could fill the memory.
INTEGER_LIMIT = 2**63 - 1
DECIMAL_DIGITS = 17
DECIMAL_EXPONENT = 18
DEPTH_LIMIT = 16


MEMO = "_json"


def remembered(value: object) -> str | None:
    """The text that `remember` kept on a frozen value."""
    kept: str | None = getattr(value, MEMO, None)
    return kept


def remember(value: object, text: str) -> None:
    """Keep a frozen value's text on the value itself.

    Cards of one design share most of their fields, places and colours. Beside an RSA operation of 260 µs, encoding
    those afresh cost 80 µs a pass, remembered 25. It is set as an attribute, because touching `__dict__` would make a
    dictionary for every value, which the garbage collector then walks.
    """
    object.__setattr__(value, MEMO, text)


def plain(value: object) -> str | None:
    """The JSON text of a value that certainly has no fault; None where a Writer must look closer."""
    if type(value) is str and value.isascii() and "\0" not in value:
        return encode_basestring(value)
    if type(value) is int and -INTEGER_LIMIT <= value <= INTEGER_LIMIT:
        return str(value)
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def below(value: object, limit: int) -> bool:
    """Whether a number lies below a limit; what is no number lies nowhere."""
    if isinstance(value, Decimal):
        return not value.is_nan() and value < limit
    return isinstance(value, int) and value < limit


class Writer:
    """Turns values into JSON text and notes each fault with the place where it stands.

    A method that finds a fault returns some harmless text, so that one run finds all of them.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def fault(self, where: str, what: str) -> str:
        self.problems.append(f"{where}: {what}")
        return "null"

    def text(self, where: str, value: object) -> str:
        if not isinstance(value, str):
            return self.fault(where, f"needs text, not {type(value).__name__}")
        if not _is_encodable(value):
            return self.fault(where, "holds half a surrogate pair; give whole characters")
        if "\0" in value:
            return self.fault(where, "holds a NUL character; remove it")
        return encode_basestring(value)

    def filled(self, where: str, value: object) -> str:
        if isinstance(value, str) and not value.strip():
            return self.fault(where, "must not be empty")
        return self.text(where, value)

    def number(self, where: str, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return self.fault(where, f"needs an int or a Decimal, not {type(value).__name__}")
        if isinstance(value, int):
            if abs(value) > INTEGER_LIMIT:
                return self.fault(where, "is beyond 64 bits")
            return str(value)
        if not value.is_finite():
            return self.fault(where, "must be a finite number")
        digits = value.as_tuple()
        if len(digits.digits) > DECIMAL_DIGITS or abs(value.adjusted()) > DECIMAL_EXPONENT:
            return self.fault(where, f"has more than {DECIMAL_DIGITS} digits; round it first")
        return format(value, "f")

    def date(self, where: str, value: object) -> str:
        if not isinstance(value, datetime):
            return self.fault(where, f"needs a datetime, not {type(value).__name__}")
        offset = value.utcoffset()
        if offset is None:
            return self.fault(where, "is a date without a zone; give an aware datetime")
        if offset % timedelta(minutes=1):
            return self.fault(where, "has an offset with seconds; use whole minutes")
        if not offset:
            return f'"{value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").zfill(19)}Z"'
        return f'"{value.isoformat(timespec="seconds")}"'

    def json(self, where: str, value: object, depth: int = 0) -> str:
        """Any JSON value; mappings keep their order."""
        if depth > DEPTH_LIMIT:
            return self.fault(where, f"is nested deeper than {DEPTH_LIMIT} levels")
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, str):
            return self.text(where, value)
        if isinstance(value, Mapping):
            items = (
                f"{self.text(where, key)}:{self.json(f'{where}.{key}', item, depth + 1)}" for key, item in value.items()
            )
            return "{" + ",".join(items) + "}"
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return "[" + ",".join(self.json(f"{where}[{i}]", item, depth + 1) for i, item in enumerate(value)) + "]"
        return self.number(where, value)
