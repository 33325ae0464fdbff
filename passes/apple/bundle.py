"""Files <-> .pkpass, and several passes <-> .pkpasses."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from passes.apple import archive, images, strings
from passes.apple.archive import PASS_LIMITS, Entry, Limits
from passes.errors import BundleError, InvalidPass

MEDIA_TYPE = "application/vnd.apple.pkpass"
BUNDLE_MEDIA_TYPE = "application/vnd.apple.pkpasses"
PASSES_MAX = 10
PASSES_BYTES_MAX = 150_000_000
RESERVED = frozenset({"pass.json", "manifest.json", "signature"})
_PASSES_LIMITS = Limits(
    archive_bytes=PASSES_BYTES_MAX,
    entries=PASSES_MAX,
    file_bytes=PASS_LIMITS.archive_bytes,
    total_bytes=PASSES_BYTES_MAX,
)
_NAME = re.compile(r"(?:(?P<language>[A-Za-z0-9-]+)\.lproj/)?(?P<file>[A-Za-z0-9_-][A-Za-z0-9._@-]{0,79})")


@dataclass(frozen=True, kw_only=True)
class Artwork:
    """Images and translations that many passes share, kept as finished archive entries.

    Make it once for each design and language with `prepare`; a pass is then the joining of byte strings.
    """

    files: Mapping[str, bytes] = dataclass_field(repr=False)
    local: bytes = dataclass_field(repr=False)
    central: bytes = dataclass_field(repr=False)
    manifest: bytes = dataclass_field(repr=False)

    @classmethod
    def prepare(cls, files: Mapping[str, bytes]) -> "Artwork":
        """Check files once and pack them; keys are archive names such as `icon@2x.png`, `tr.lproj/pass.strings`.

        Raises: InvalidPass, with everything that Wallet would refuse.
        """
        found = [*images.problems(files), *_name_problems(files), *_translation_problems(files)]
        if found:
            raise InvalidPass(found)
        kept = dict(sorted(files.items()))
        pieces, central, _ = _entries(kept, 0)
        # The start of the manifest; each pass adds its own files and the closing brace.
        manifest = b"{" + _digests(kept) + b","
        return cls(files=kept, local=b"".join(pieces), central=b"".join(central), manifest=manifest)


def pack(artwork: Artwork, files: Mapping[str, bytes], sign: Callable[[bytes], bytes]) -> bytes:
    """Join artwork, the files of one pass (pass.json at least), manifest and signature into a .pkpass.

    `sign` is given the exact bytes of manifest.json.
    """
    return artwork.local + pack_own(artwork, files, sign)


def pack_own(artwork: Artwork, files: Mapping[str, bytes], sign: Callable[[bytes], bytes]) -> bytes:
    """The part of a .pkpass behind `artwork.local`, some thousand bytes; the two joined are what `pack` returns.

    The artwork comes first, so that its entries never move and all passes of a design start with the same bytes.
    """
    manifest = b"".join((artwork.manifest, _digests(files), b"}"))
    own = {**files, "manifest.json": manifest, "signature": sign(manifest)}
    pieces, central, size = _entries(own, len(artwork.local))
    central_bytes = len(artwork.central) + sum(map(len, central))
    closing = archive.end(len(artwork.files) + len(own), central_bytes, size)
    return b"".join((*pieces, artwork.central, *central, closing))


def read(data: bytes, limits: Limits = PASS_LIMITS) -> dict[str, bytes]:
    """Unpack a .pkpass into its files, by name; folders are left out.

    Raises: BundleError, if it is no archive, passes a limit, or holds a link, a name twice, or a name that leads out.
    """
    entries = archive.scan(data, limits)
    problems = [f"the name {name!r} is in the archive twice" for name in archive.duplicate_names(entries)]
    problems += [f"{item.name!r} is a symbolic link; store the file itself" for item in entries if item.is_link]
    problems += [f"the name {item.name!r} leads out of the pass" for item in entries if is_unsafe(item)]
    if problems:
        raise BundleError(problems)
    return {item.name: item.data for item in entries if not item.is_folder}


def pack_many(passes: Sequence[bytes]) -> bytes:
    """Put 1 to 10 finished passes into one .pkpasses bundle.

    Raises: BundleError, if there are none, too many, or more than 150 MB.
    """
    if not 1 <= len(passes) <= PASSES_MAX:
        raise BundleError(f"a bundle holds 1 to {PASSES_MAX} passes, not {len(passes)}; send several bundles")
    files = {f"{number}.pkpass": data for number, data in enumerate(passes, 1)}
    pieces, central, size = _entries(files, 0)
    bundle = b"".join((*pieces, *central, archive.end(len(files), sum(map(len, central)), size)))
    if len(bundle) > PASSES_BYTES_MAX:
        raise BundleError(f"the bundle has {len(bundle):,} bytes; Wallet takes {PASSES_BYTES_MAX:,}")
    return bundle


def read_many(data: bytes) -> list[bytes]:
    """Unpack a .pkpasses bundle into passes, in order; each is still to be read itself.

    Raises: BundleError, as `read` does, and for anything in it that is not a .pkpass.
    """
    files = read(data, _PASSES_LIMITS)
    strangers = [f"{name!r} is not a .pkpass" for name in files if not name.endswith(".pkpass") or "/" in name]
    if strangers or not files:
        raise BundleError(strangers or "the bundle is empty")
    return list(files.values())


def is_unsafe(entry: Entry) -> bool:
    """Whether unpacking a name could write outside the pass's own folder."""
    name = entry.name
    steps = name.split("/")
    return name.startswith("/") or ".." in steps or "\\" in name or ":" in name or not name.isprintable()


def check_names(names: Iterable[str]) -> None:
    """See that files may go into a pass under these names.

    Raises: InvalidPass, with every name that may not.
    """
    if found := _name_problems(names):
        raise InvalidPass(found)


def _name_problems(names: Iterable[str]) -> list[str]:
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            found.append(f"{name!r}: use ASCII letters and digits, at the top level or in <language>.lproj/")
        elif match["language"] and not strings.LANGUAGE.fullmatch(match["language"]):
            found.append(f"{name!r}: the folder must be a language such as en, pt-BR or zh-Hans, with exact case")
        elif name in RESERVED:
            found.append(f"{name!r}: is made for each pass; leave it out")
    return found


def _translation_problems(files: Mapping[str, bytes]) -> list[str]:
    found = []
    for name, data in files.items():
        folder, _, file = name.rpartition("/")
        if folder and file in files:
            found.append(f"{name}: is never shown, because {file} at the top level wins; keep one of the two")
        if file.endswith(".strings"):
            try:
                strings.read(data)
            except InvalidPass as error:
                found.append(f"{name}: {error}")
    return found


def _digests(files: Mapping[str, bytes]) -> bytes:
    digests = [f'"{name}":"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"' for name, data in files.items()]
    return ",".join(digests).encode("ascii")


def _entries(files: Mapping[str, bytes], offset: int) -> tuple[list[bytes], list[bytes], int]:
    """Pieces of the local entries, the central headers, and the offset behind the entries."""
    pieces: list[bytes] = []
    centrals: list[bytes] = []
    for name, data in files.items():
        local, central = archive.headers(name, data, offset)
        offset += len(local) + len(data)
        pieces += (local, data)
        centrals.append(central)
    return pieces, centrals, offset
