"""Opens a .pkpass: the rules of the ZIP file and of its manifest."""

import hashlib
import io
import json
import re
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Any

from app.sandbox.apple_findings import Findings

ARCHIVE_BYTES_MAX = 20 * 1024 * 1024
CONTENT_BYTES_MAX = 40 * 1024 * 1024
FILES_MAX = 500
SYMLINK_MODE = 0o120000
UNSIGNED_FILES = frozenset({"manifest.json", "signature"})
LPROJ = re.compile(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}\.lproj$")


def open_archive(pkpass: bytes, findings: Findings) -> dict[str, bytes]:
    """The files of the archive by path, as far as it can be read."""
    if len(pkpass) > ARCHIVE_BYTES_MAX:
        findings.refuse(
            "zip.size", f"The archive has {len(pkpass):,} bytes; this phone stops at {ARCHIVE_BYTES_MAX:,}."
        )
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(pkpass)) as archive:
            return _read_entries(archive, findings)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        findings.refuse("zip.broken", f"The archive cannot be opened: {error}.")
        return {}


def _read_entries(archive: zipfile.ZipFile, findings: Findings) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    entries = archive.infolist()
    if len(entries) > FILES_MAX or sum(entry.file_size for entry in entries) > CONTENT_BYTES_MAX:
        findings.refuse("zip.size", "The archive holds more than a pass can need.")
        return {}
    for entry in entries:
        if entry.is_dir():
            continue
        if entry.filename in files:
            findings.refuse("zip.duplicate", f"{entry.filename} is in the archive twice.")
        if _check_entry(entry, findings):
            files[entry.filename] = archive.read(entry)
    return files


def _check_entry(entry: zipfile.ZipInfo, findings: Findings) -> bool:
    name = entry.orig_filename
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or "\x00" in name or ".." in parts or not name.isascii():
        findings.refuse("zip.name", f"{name!r} is not a plain ASCII path inside the pass.")
        return False
    if entry.external_attr >> 16 & 0o170000 == SYMLINK_MODE:
        findings.refuse("zip.symlink", f"{name} is a symbolic link.")
        return False
    if entry.flag_bits & 0x1:
        findings.refuse("zip.encrypted", f"{name} is encrypted.")
        return False
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        findings.refuse("zip.method", f"{name} is neither stored nor deflated.")
        return False
    if entry.flag_bits & 0x8 and entry.compress_type == zipfile.ZIP_STORED:
        findings.defect(
            "zip.descriptor", f"{name} is stored with a data descriptor, which streaming readers cannot read."
        )
    if parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
        findings.refuse("zip.stray", f"{name} does not belong in a pass.")
    elif len(parts) > 2 or (len(parts) == 2 and not LPROJ.match(parts[0])):
        findings.refuse("zip.folder", f"{name} is in a folder; files lie at the root or in a <language>.lproj folder.")
    return True


def check_manifest(files: dict[str, bytes], findings: Findings) -> None:
    """Compare the manifest with the files it must name: every one, no other, with the right SHA-1."""
    for required in ("pass.json", "manifest.json", "signature"):
        if required not in files:
            findings.refuse("file.missing", f"{required} is missing.")
    if "manifest.json" not in files:
        return
    manifest = parse_json(files["manifest.json"], "manifest.json", findings)
    if not isinstance(manifest, dict):
        findings.refuse("manifest.shape", "manifest.json is not a JSON object.")
        return
    present = set(files) - UNSIGNED_FILES
    for name in sorted(present - set(manifest)):
        findings.refuse("manifest.extra", f"{name} is in the archive, but not in the manifest.")
    for name in sorted(set(manifest) - present):
        findings.refuse("manifest.missing", f"{name} is in the manifest, but not in the archive.")
    for name in sorted(present & set(manifest)):
        digest = hashlib.sha1(files[name], usedforsecurity=False).hexdigest()
        if manifest[name] != digest:
            findings.refuse("manifest.hash", f"The SHA-1 of {name} is {digest}, the manifest says {manifest[name]!r}.")


def parse_json(content: bytes, name: str, findings: Findings) -> Any:
    """Strict JSON: UTF-8 without a byte order mark, no doubled keys, no NaN; None after a finding."""
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        findings.refuse("json.invalid", f"{name} is not valid JSON: {error}.")
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        doubled = sorted({key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1})
        raise ValueError(f"doubled key {', '.join(doubled)}")
    return result


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")
