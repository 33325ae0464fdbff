"""A receipt printer, as its maker's manual describes it: reads ESC/POS byte by byte and keeps what is on the paper."""

from dataclasses import dataclass, field

# PC857 as Epson prints it, written down here from the code page's own table for the letters that Turkish needs.
TURKISH = {
    0x80: "Ç", 0x81: "ü", 0x87: "ç", 0x8D: "ı", 0x94: "ö", 0x98: "İ", 0x99: "Ö", 0x9A: "Ü", 0x9E: "Ş", 0x9F: "ş",
    0xA6: "Ğ", 0xA7: "ğ", 0x82: "é", 0x83: "â", 0xFA: "·",
}  # fmt: skip


class NotUnderstood(Exception):
    """A byte that a printer would print as rubbish, or a command that it does not have."""


@dataclass
class Printed:
    """A row of paper."""

    text: str
    is_bold: bool
    is_centred: bool


@dataclass
class Printer:
    """Starts as printers made for China do: bytes above 127 are halves of characters until it is told otherwise."""

    rows: list[Printed] = field(default_factory=list)
    qr: bytes = b""
    qr_printed: int = 0
    cuts: int = 0
    page: int = 0
    is_double_byte: bool = True
    _row: str = ""
    _bold: bool = False
    _centred: bool = False

    def read(self, data: bytes) -> "Printer":
        at = 0
        while at < len(data):
            at += self._one(data, at)
        return self

    def _one(self, data: bytes, at: int) -> int:
        byte = data[at]
        if byte == 0x1B:
            return self._escape(data, at)
        if byte == 0x1D:
            return self._group(data, at)
        if data[at : at + 2] == b"\x1c.":
            self.is_double_byte = False
            return 2
        if byte == 0x0A:
            self.rows.append(Printed(text=self._row, is_bold=self._bold, is_centred=self._centred))
            self._row = ""
        elif byte < 0x20 or byte == 0x7F:
            raise NotUnderstood(f"control character {byte:#x} at {at}")
        else:
            self._row += self._character(byte)
        return 1

    def _character(self, byte: int) -> str:
        if byte < 0x80:
            return chr(byte)
        if self.is_double_byte or self.page != 13:
            raise NotUnderstood(f"{byte:#x} on page {self.page}")
        if byte not in TURKISH:
            raise NotUnderstood(f"{byte:#x} is none of the letters that were expected")
        return TURKISH[byte]

    def _escape(self, data: bytes, at: int) -> int:
        command, value = data[at + 1 : at + 2], data[at + 2] if at + 2 < len(data) else 0
        if command == b"@":
            self.page, self._bold, self._centred = 0, False, False
            return 2
        if command == b"t":
            self.page = value
        elif command == b"E":
            self._bold = bool(value & 1)
        elif command == b"a" and value in (0, 1):
            self._centred = value == 1
        elif command == b"R" and value == 0:
            pass
        elif command == b"d":
            self.rows += [Printed(text="", is_bold=False, is_centred=False)] * value
        else:
            raise NotUnderstood(f"ESC {command!r} {value}")
        return 3

    def _group(self, data: bytes, at: int) -> int:
        if data[at + 1 : at + 3] == b"VB":
            self.cuts += 1
            return 4
        if data[at + 1 : at + 3] != b"(k":
            raise NotUnderstood(f"GS {data[at + 1 : at + 3]!r}")
        length = int.from_bytes(data[at + 3 : at + 5], "little")
        body = data[at + 5 : at + 5 + length]
        if len(body) != length or body[:1] != b"1":
            raise NotUnderstood("a two-dimensional code that is cut off")
        if body[1:2] == b"P":
            self.qr = body[3:]
        elif body[1:2] == b"Q":
            self.qr_printed += 1
        return 5 + length
