"""What the checks look at: an unpacked pass, and ways to walk through its JSON without trust."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from passes.apple.archive import Entry

CLASSIC_STYLES = frozenset({"boardingPass", "coupon", "eventTicket", "generic", "storeCard"})
STYLES = CLASSIC_STYLES | {"posterGeneric"}
Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One pass under examination.

    Attributes:
        entries: all of the archive, strange ones too.
        files: the readable files by name.
        document: pass.json, {} where it cannot be read. Numbers with a point are Decimals.
        at: the moment for which expiry is judged.
        nfc_certificate: the certificate is one that Apple granted for NFC.
    """

    entries: tuple[Entry, ...]
    files: Mapping[str, bytes]
    document: Json
    at: datetime
    nfc_certificate: bool = False

    @property
    def styles(self) -> tuple[str, ...]:
        return tuple(key for key in self.document if key in STYLES)

    def groups(self) -> Iterator[tuple[str, str, str, list[object]]]:
        """Style, group, place and fields of every group of fields."""
        for style in self.styles:
            content = self.document[style]
            if isinstance(content, Mapping):
                for group, fields in content.items():
                    if group.endswith("Fields") and isinstance(fields, list):
                        yield style, group, place(f"{style}.{group}"), fields

    def fields(self) -> Iterator[tuple[str, str, Json]]:
        """Group, place and content of every field that is an object."""
        for _, group, where, fields in self.groups():
            for i, field in enumerate(fields):
                if isinstance(field, Mapping):
                    yield group, f"{where}[{i}]", field


def place(key: str) -> str:
    """How a finding names a key of pass.json."""
    return f"pass.json: {key}"


def objects(document: Json, key: str) -> Iterator[tuple[str, Json]]:
    """Place and content of the objects in an array; what is of another type is left to the check of types."""
    items = document.get(key)
    if isinstance(items, list):
        for i, item in enumerate(items):
            if isinstance(item, Mapping):
                yield place(f"{key}[{i}]"), item


def count(document: Json, key: str) -> int:
    """How many items an array holds; 0 for what is none."""
    items = document.get(key)
    return len(items) if isinstance(items, list) else 0


def shown(value: object) -> str:
    """A value as a finding may cite it: short, on one line, printable."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return repr(value[:60] if isinstance(value, str) else value)[:80]
