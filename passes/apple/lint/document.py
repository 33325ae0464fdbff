"""pass.json as JSON: readable, and without keys that stand twice."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal

from passes.apple.findings import Finding, Rulebook

RULES = Rulebook()
MISSING = RULES.error("pass-json-missing", "there is no pass.json", "add pass.json at the top level of the archive")
INVALID = RULES.error(
    "pass-json-invalid", "pass.json is not valid JSON", "remove comments and trailing commas, and save it as UTF-8"
)
BOM = RULES.error(
    "pass-json-byte-order-mark", "pass.json starts with a byte order mark", "save it as UTF-8 without the mark"
)
TWICE = RULES.error(
    "pass-json-key-twice", "a key stands twice in one object, so one of its values is lost", "keep one of the two"
)
_DIGITS_MAX = 400


def read(files: Mapping[str, bytes]) -> tuple[dict[str, object], list[Finding]]:
    """Parse pass.json; {} with a finding where that fails."""
    if "pass.json" not in files:
        return {}, [MISSING.found()]
    data = files["pass.json"]
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return {}, [BOM.found("pass.json")]
    twice: list[str] = []
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=lambda pairs: _object(pairs, twice),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        return {}, [INVALID.found("pass.json", _reason(error))]
    if not isinstance(value, dict):
        return {}, [INVALID.found("pass.json", "the top level is not an object")]
    return value, [TWICE.found(f"pass.json: {key[:80]}") for key in twice]


def _object(pairs: list[tuple[str, object]], twice: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            twice.append(key)
        found[key] = value
    return found


def _decimal(text: str) -> Decimal:
    number = Decimal(_short(text))
    if abs(number.adjusted()) > _DIGITS_MAX:
        raise ValueError("a number has hundreds of digits")
    return number


def _integer(text: str) -> int:
    return int(_short(text))


def _short(text: str) -> str:
    if len(text) > _DIGITS_MAX:
        raise ValueError("a number has hundreds of digits")
    return text


def _constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def texts(value: object) -> Iterator[str]:
    """Every text anywhere in a parsed document."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
