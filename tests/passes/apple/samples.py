"""Cards, images and archives for the tests of Apple's side."""

import hashlib
import io
import json
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from passes.apple.model import Barcode, Colour, DateStyle, Field, Location, StoreCard

PASS_TYPE = "pass.com.example.card"
TEAM = "TEAM123456"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def png(width: int, height: int, *, extra: bytes = b"") -> bytes:
    """A whole, plain PNG; `extra` rides in a text chunk to make it larger."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x20\x40\x80" * width) * height
    text = chunk(b"tEXt", b"x\0" + extra) if extra else b""
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + text + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


IMAGES: Mapping[str, bytes] = {
    "icon.png": png(38, 38),
    "icon@2x.png": png(76, 76),
    "icon@3x.png": png(114, 114),
    "logo@2x.png": png(320, 100),
    "strip@2x.png": png(750, 288),
}


def card(**changes: Any) -> StoreCard:
    """Alice's card in a café, with a little of everything."""
    given: dict[str, Any] = {
        "pass_type_identifier": PASS_TYPE,
        "team_identifier": TEAM,
        "serial_number": "alice-0001",
        "organization_name": "Kahve Dünyası",
        "description": "Loyalty card of Kahve Dünyası",
        "header": (Field(key="balance", label="Points", value=120, change_message="You have %@ points"),),
        "secondary": (Field(key="member", label="Member", value="Alice Öz"),),
        "auxiliary": (
            Field(
                key="until",
                label="Until",
                value=datetime(2027, 1, 31, 22, 59, tzinfo=UTC),
                date_style=DateStyle.SHORT,
                time_style=DateStyle.NONE,
            ),
        ),
        "back": (Field(key="latest", label="News", value="", change_message="%@"),),
        "barcodes": (Barcode(message="7K3M-9QXT"),),
        "web_service_url": "https://cards.example.com/apple",
        "authentication_token": "0123456789abcdef0123456789abcdef",
        "background_colour": Colour(red=26, green=43, blue=60),
        "locations": (Location(latitude=Decimal("41.0082"), longitude=Decimal("28.9784")),),
    }
    return StoreCard(**(given | changes))


def document(**changes: Any) -> dict[str, Any]:
    """pass.json as a parsed object that lint has nothing against; `None` removes a key."""
    given: dict[str, Any] = {
        "formatVersion": 1,
        "passTypeIdentifier": PASS_TYPE,
        "teamIdentifier": TEAM,
        "serialNumber": "alice-0001",
        "organizationName": "Cafe",
        "description": "Loyalty card",
        "webServiceURL": "https://cards.example.com/apple",
        "authenticationToken": "0123456789abcdef0123456789abcdef",
        "storeCard": {"headerFields": [{"key": "balance", "label": "Points", "value": 120}]},
    }
    return {key: value for key, value in (given | changes).items() if value is not None}


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive made by the standard library, as other tools would."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.getvalue()


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    return json.dumps({name: hashlib.sha1(data).hexdigest() for name, data in files.items()}).encode()


def openssl_accepts(signature: bytes, manifest: bytes, root_pem: bytes, folder: Path) -> bool:
    """What the openssl command says of a detached signature."""
    for name, data in (("signature", signature), ("manifest.json", manifest), ("root.pem", root_pem)):
        (folder / name).write_bytes(data)
    command = "openssl cms -verify -binary -inform DER -in signature -content manifest.json"
    command += " -CAfile root.pem -purpose any -out verified"
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, check=False, timeout=20)
    return done.returncode == 0 and (folder / "verified").read_bytes() == manifest
