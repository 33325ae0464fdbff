"""A pass made by hand: pass.json and images in a folder -> .pkpass; and a look into a finished one."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from passes.apple import bundle, images, lint, strings
from passes.apple.archive import PASS_LIMITS
from passes.apple.bundle import Artwork
from passes.apple.findings import Finding, Severity
from passes.apple.lint import document
from passes.apple.lint.subject import STYLES
from passes.apple.signing import Signer
from passes.apple.verify import Report, verify_files
from passes.errors import InvalidPass

_JUNK = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"})
_MADE_ANEW = frozenset({"manifest.json", "signature"})


@dataclass(frozen=True, kw_only=True)
class Built:
    """A finished pass, and what lint says that Wallet accepts but does not show as written."""

    data: bytes
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Inside:
    """What a .pkpass holds.

    Attributes:
        document: pass.json; {} where it cannot be read.
        file_bytes: size of each file, by name.
        image_sizes: pixels as `width x height`, by name, of readable images.
        languages: those with translations, and how many texts each has.
        report: signature and digests.
    """

    document: Mapping[str, object]
    file_bytes: Mapping[str, int]
    image_sizes: Mapping[str, str]
    languages: Mapping[str, int]
    report: Report

    @property
    def style(self) -> str:
        """The style, or several joined by +; "" if there is none."""
        return "+".join(key for key in self.document if key in STYLES)


def read_folder(pass_json: Path, images_folder: Path) -> dict[str, bytes]:
    """Read the files of a pass: pass.json, and all else of a folder; what desktops leave there is skipped.

    Raises: InvalidPass, for a link, a name that cannot be in a pass, too much data, or a file that cannot be read.
    """
    files = {"pass.json": _contents(pass_json)}
    total = len(files["pass.json"])
    for path in _walk(images_folder):
        name = path.relative_to(images_folder).as_posix()
        if path.is_symlink():
            raise InvalidPass(f"{name}: is a symbolic link; put the file itself there")
        if path == pass_json or name in _MADE_ANEW or name == "pass.json":
            continue
        files[name] = _contents(path)
        total += len(files[name])
        if total > PASS_LIMITS.total_bytes or len(files) > PASS_LIMITS.entries:
            raise InvalidPass(f"{images_folder}: holds more than a pass can; is it the right folder?")
    return files


def build_files(files: Mapping[str, bytes], signer: Signer, *, at: datetime) -> Built:
    """Pack and sign the files of a hand-made pass.

    Raises: InvalidPass, with every error that lint finds in the result; IdentityError, as `Signer.sign` does.
    """
    content, found = document.read(files)
    if found:
        raise InvalidPass(_sentence(finding) for finding in found)
    signer.identity.check(at=at, pass_type=_text(content, "passTypeIdentifier"), team=_text(content, "teamIdentifier"))
    artwork = Artwork.prepare({name: data for name, data in files.items() if name != "pass.json"})
    data = bundle.pack(artwork, {"pass.json": files["pass.json"]}, lambda manifest: signer.sign(manifest, at=at))
    findings = lint.lint(data, at=at)
    if errors := [_sentence(finding) for finding in findings if finding.severity is Severity.ERROR]:
        raise InvalidPass(errors)
    return Built(data=data, findings=findings)


def inspect(data: bytes, *, at: datetime) -> Inside:
    """Look into a .pkpass.

    Raises: BundleError, if it cannot be unpacked.
    """
    files = bundle.read(data)
    content, _ = document.read(files)
    return Inside(
        document=content,
        file_bytes={name: len(held) for name, held in files.items()},
        image_sizes={name: size for name, held in files.items() if (size := _image_size(name, held))},
        languages=_languages(files),
        report=verify_files(files, at=at),
    )


def _walk(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InvalidPass(f"{folder}: is not a folder")
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _JUNK)
        linked = [name for name in folders if (Path(place) / name).is_symlink()]
        wanted = [name for name in names if name not in _JUNK and not name.startswith("._")]
        found += [Path(place) / name for name in sorted([*wanted, *linked])]
        if len(found) > PASS_LIMITS.entries:
            raise InvalidPass(f"{folder}: holds more files than a pass can; is it the right folder?")
    return found


def _contents(path: Path) -> bytes:
    try:
        if path.stat().st_size > PASS_LIMITS.file_bytes:
            raise InvalidPass(f"{path}: is larger than {PASS_LIMITS.file_bytes:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InvalidPass(f"{path}: cannot be read: {error.strerror}") from None


def _sentence(finding: Finding) -> str:
    place = f"{finding.where}: " if finding.where else ""
    return f"{place}{finding.message}; {finding.hint} [{finding.code}]"


def _text(content: Mapping[str, object], key: str) -> str | None:
    value = content.get(key)
    return value if isinstance(value, str) else None


def _image_size(name: str, data: bytes) -> str:
    if not name.endswith(".png"):
        return ""
    try:
        header = images.read_png(data)
    except InvalidPass:
        return "unreadable"
    return f"{header.width_px} x {header.height_px}"


def _languages(files: Mapping[str, bytes]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, data in files.items():
        if name.endswith(".lproj/pass.strings"):
            try:
                found[name.removesuffix(".lproj/pass.strings")] = len(strings.read(data))
            except InvalidPass:
                found[name.removesuffix(".lproj/pass.strings")] = 0
    return found


def as_json(value: object) -> str:
    """JSON text of a parsed document, with its decimals as they were."""
    return json.dumps(value, default=str, ensure_ascii=False, indent=2)
