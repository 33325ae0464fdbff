"""Narrow paper: lines of 42 columns as text, and as bytes for receipt printers (ESC/POS).

Printers know no Unicode. They are set to code page 857, which has every letter of Turkish and of English and
Indonesian; what it lacks is written with letters it has (₺ as TL, é stays, ş stays), and what has none is a question
mark. Their own UTF-8 modes differ from maker to maker, this page does not.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

COLUMNS = 42
CODE_PAGE = "cp857"
SPELLED = {
    "₺": "TL", "€": "EUR", "£": "GBP", "−": "-", "–": "-", "—": "-", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"',
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "×": "x", "•": "*", "ẞ": "SS", "œ": "oe", "Œ": "OE", "ł": "l",
    "Ł": "L", "đ": "d", "Đ": "D", "ə": "e", "Ə": "E",
}  # fmt: skip

ESC, GS, FS = b"\x1b", b"\x1d", b"\x1c"
# reset; no double-byte characters, which printers made for China begin with; the American set below 128; page 857
BEGIN = ESC + b"@" + FS + b"." + ESC + b"R\x00" + ESC + b"t\x0d"
BOLD, PLAIN = ESC + b"E\x01", ESC + b"E\x00"
LEFT, CENTRE = ESC + b"a\x00", ESC + b"a\x01"
END = ESC + b"d\x04" + GS + b"V\x42\x00"
LONGEST_QR = 700


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of paper: something at the left, something at the right end; or a rule across."""

    left: str = ""
    right: str = ""
    is_bold: bool = False
    is_centred: bool = False
    is_rule: bool = False


def as_text(lines: Sequence[Line]) -> str:
    """Lines of at most 42 columns, for any window or printer that reads UTF-8."""
    rows = [row for line in lines for row in _rows(line, _clean)]
    return "".join(f"{row.rstrip()}\n" for row in rows)


def as_escpos(lines: Sequence[Line], *, qr: str = "") -> bytes:
    """What a receipt printer takes: initialised, printed and cut. `qr`: an address to print as a code at the end."""
    parts = [BEGIN]
    for line in lines:
        parts += [CENTRE if line.is_centred else LEFT, BOLD if line.is_bold else PLAIN]
        parts += [row.rstrip().encode(CODE_PAGE, "replace") + b"\n" for row in _rows(line, spelled)]
    if qr:
        parts += [PLAIN, CENTRE, _qr(qr), b"\n"]
    return b"".join([*parts, LEFT, PLAIN, END])


def spelled(text: str) -> str:
    """*text* in characters that code page 857 has."""
    return "".join(_known(character) for character in unicodedata.normalize("NFC", _clean(text)))


def width(text: str) -> int:
    """How many columns a text takes: signs of East Asia and pictures two, marks over letters none."""
    return sum(_width(character) for character in text)


def wrapped(text: str, columns: int) -> list[str]:
    """Rows of at most *columns*, broken between words, and within those that are longer than a row."""
    rows, row = [], ""
    for word in text.split(" "):
        joined = f"{row} {word}" if row else word
        if width(joined) <= columns:
            row = joined
            continue
        if row:
            rows.append(row)
        *whole, row = _broken(word, columns)
        rows += whole
    return [*rows, row]


def _rows(line: Line, spell: Callable[[str], str]) -> list[str]:
    if line.is_rule:
        return ["-" * COLUMNS]
    left, right = spell(line.left), spell(line.right)
    if line.is_centred:
        rows = wrapped(left, COLUMNS)  # the printer moves them to the middle itself
        return rows if spell is spelled else [" " * ((COLUMNS - width(row)) // 2) + _isolated(row) for row in rows]
    if not right:
        return [_isolated(row) for row in wrapped(left, COLUMNS)]
    gap = COLUMNS - width(left) - width(right)
    if gap >= 1:
        return [_isolated(left) + " " * gap + _isolated(right)]
    below = [" " * (COLUMNS - width(row)) + _isolated(row) for row in wrapped(right, COLUMNS)]
    return [*(_isolated(row) for row in wrapped(left, COLUMNS)), *below]


def _isolated(text: str) -> str:
    """What is written from right to left moves nothing that stands beside it."""
    turns = any(unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in text)
    return f"\u2068{text}\u2069" if turns else text


def _clean(text: str) -> str:
    """Without what steers terminals, printers or the direction of writing."""
    kept = (" " if character.isspace() else character for character in unicodedata.normalize("NFC", text))
    return "".join(one for one in kept if unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Co", "Cn"})


def _known(character: str) -> str:
    if character in SPELLED:
        return SPELLED[character]
    if _has(character):
        return character
    plain = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    if plain and all(_has(one) for one in plain):
        return plain
    return "" if not _width(character) else "?"


def _has(character: str) -> bool:
    try:
        return character.encode(CODE_PAGE) >= b" "
    except UnicodeEncodeError:
        return False


def _width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _broken(word: str, columns: int) -> list[str]:
    rows, row = [], ""
    for character in word:
        if width(row + character) > columns:
            rows.append(row)
            row = ""
        row += character
    return [*rows, row]


def _qr(text: str) -> bytes:
    data = text.encode("ascii")[:LONGEST_QR]
    length = (len(data) + 3).to_bytes(2, "little")
    settings: Iterable[bytes] = (
        b"\x04\x00\x31\x41\x32\x00",  # model 2
        b"\x03\x00\x31\x43\x06",  # six dots a module
        b"\x03\x00\x31\x45\x31",  # error correction M
        length + b"\x31\x50\x30" + data,
        b"\x03\x00\x31\x51\x30",
    )
    return b"".join(GS + b"(k" + one for one in settings)
