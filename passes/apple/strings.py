"""Translations <-> pass.strings: `"key" = "value";` lines in UTF-16 with a byte order mark."""

import re
from collections.abc import Mapping

from passes.errors import InvalidPass

LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\d{3}))?")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPE_TABLE = str.maketrans(_ESCAPES)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_STRING = r'"((?:[^"\\]|\\.)*)"'
# One piece a match and never nested, so that no input makes the search slow.
_PAIR = re.compile(rf"{_STRING}\s*=\s*{_STRING}\s*;", re.DOTALL)
_SKIP = re.compile(r"\s+|/\*.*?\*/|//[^\n]*", re.DOTALL)
_ESCAPED = re.compile(r"\\(U[0-9a-fA-F]{4}|.)", re.DOTALL)


def write(translations: Mapping[str, str]) -> bytes:
    """Write a pass.strings file; the keys are the literal texts of pass.json.

    Raises: InvalidPass, for a text that cannot be written.
    Source: Apple, Wallet Passes, "Creating the Source for a Pass", localization.
    """
    problems = [f"{key[:40]!r}: the key is empty" for key in translations if not key]
    lines = []
    for key, value in translations.items():
        if not _is_text(key) or not _is_text(value):
            problems.append(f"{key[:40]!r}: holds a NUL or half a surrogate pair")
        lines.append(f'"{key.translate(_ESCAPE_TABLE)}" = "{value.translate(_ESCAPE_TABLE)}";\n')
    if problems:
        raise InvalidPass(problems)
    # Written out, because the codec "utf-16" follows the machine's byte order.
    return b"\xff\xfe" + "".join(lines).encode("utf-16-le")


def read(data: bytes) -> dict[str, str]:
    """Read a pass.strings file in UTF-16 with byte order mark, or in UTF-8; of a key that stands twice, the last.

    Raises: InvalidPass, if it is neither, or breaks the format; the text names the line.
    """
    return dict(pairs(data))


def pairs(data: bytes) -> list[tuple[str, str]]:
    """Read a pass.strings file line by line, as `read` does."""
    text = _decode(data)
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        if skipped := _SKIP.match(text, place):
            place = skipped.end()
            continue
        pair = _PAIR.match(text, place)
        if pair is None:
            line = text.count("\n", 0, place) + 1
            raise InvalidPass(f'line {line} is not of the form "key" = "value";')
        found.append((_unescape(pair[1]), _unescape(pair[2])))
        place = pair.end()
    return found


def _decode(data: bytes) -> str:
    codec = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    if codec == "utf-8-sig" and b"\0" in data:
        raise InvalidPass("is UTF-16 without a byte order mark; write it with one")
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise InvalidPass("is neither UTF-16 with a byte order mark nor UTF-8") from None


def _unescape(text: str) -> str:
    return _ESCAPED.sub(_plain, text)


def _plain(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else _PLAIN.get(code, code)


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return False
    return "\0" not in text
