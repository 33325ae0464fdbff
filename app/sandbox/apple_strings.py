"""Reads pass.strings files and picks the phone's language."""

import codecs
import re
from collections.abc import Iterable

from app.sandbox.apple_findings import Findings

_SPACE = re.compile(r"(?:\s+|/\*.*?\*/|//[^\n]*)+", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(U[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


class StringsError(ValueError):
    """A pass.strings file that Wallet cannot read."""


def parse_strings(content: bytes) -> dict[str, str]:
    """The texts by the text they replace; raises StringsError with the line at fault."""
    text = _decode(content)
    result: dict[str, str] = {}
    position = _skip(text, 0)
    while position < len(text):
        key, position = _quoted(text, position)
        position = _expect(text, _skip(text, position), "=")
        value, position = _quoted(text, _skip(text, position))
        position = _skip(text, _expect(text, _skip(text, position), ";"))
        if key in result and result[key] != value:
            raise StringsError(f"{key!r} is translated twice")
        result[key] = value
    return result


def _decode(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise StringsError(f"not readable as {encoding}: {error.reason} at byte {error.start}") from error
    if "\x00" in text:
        raise StringsError("UTF-16 without a byte order mark")
    return text


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _quoted(text: str, position: int) -> tuple[str, int]:
    match = _QUOTED.match(text, position)
    if match is None:
        raise StringsError(f"a quoted text is missing in line {text.count(chr(10), 0, position) + 1}")
    return _ESCAPE.sub(_unescape, match[1]), match.end()


def _unescape(match: re.Match[str]) -> str:
    escaped = match[1]
    return chr(int(escaped[1:], 16)) if len(escaped) == 5 else _ESCAPED.get(escaped, escaped)


def _expect(text: str, position: int, sign: str) -> int:
    if not text.startswith(sign, position):
        raise StringsError(f"“{sign}” is missing in line {text.count(chr(10), 0, position) + 1}")
    return position + len(sign)


def languages_of(files: Iterable[str]) -> list[str]:
    """The languages for which the pass has a folder."""
    return sorted({name.partition(".lproj/")[0] for name in files if ".lproj/" in name})


def pick_language(wanted: str, offered: list[str]) -> str | None:
    """The folder a phone in the wanted language uses: itself, its base, English, else the only one there is."""
    for candidate in (wanted, wanted.partition("-")[0], "en"):
        if candidate in offered:
            return candidate
    return offered[0] if len(offered) == 1 else None


def check_strings(files: dict[str, bytes], findings: Findings) -> dict[str, dict[str, str]]:
    """The texts of every language; what cannot be read is a finding."""
    tables: dict[str, dict[str, str]] = {}
    for language in languages_of(files):
        content = files.get(f"{language}.lproj/pass.strings")
        if content is None:
            continue
        try:
            tables[language] = parse_strings(content)
        except StringsError as error:
            findings.defect("strings.broken", f"{language}.lproj/pass.strings: {error}.")
    keys = set().union(*tables.values()) if tables else set()
    for language, table in tables.items():
        if missing := sorted(keys - set(table)):
            findings.defect("strings.missing", f"{language}.lproj lacks {len(missing)} texts, such as {missing[0]!r}.")
    for name in files:
        if ".lproj/" in name and name.endswith(".png") and name.split("/", 1)[1] in files:
            findings.defect("strings.shadowed", f"{name} is never shown: the same image lies at the root.")
    return tables
