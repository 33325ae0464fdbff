"""manifest.json: the SHA-1 of every other file, and what can be wrong with it."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping

from passes.apple.findings import Finding, Rulebook

RULES = Rulebook()
MISSING = RULES.error(
    "manifest-missing", "Wallet refuses a pass without manifest.json", "build the pass again with `tessera pass build`"
)
INVALID = RULES.error(
    "manifest-invalid",
    "manifest.json must be one JSON object of file name: SHA-1 in hexadecimal",
    "build the pass again; write the manifest without comments and without a byte order mark",
)
NOT_SHA1 = RULES.error(
    "manifest-not-sha1",
    "the digest is not a lowercase SHA-1; the format allows no other, SHA-256 included",
    "write the SHA-1 of the file as 40 lowercase hexadecimal digits",
)
LACKS_FILE = RULES.error(
    "manifest-lacks-file",
    "a file in the archive is not in the manifest, so Wallet refuses the pass",
    "remove the file, or list it in the manifest and sign again",
)
NAMES_ABSENT_FILE = RULES.error(
    "manifest-names-absent-file",
    "the manifest lists a file that is not in the archive, so Wallet refuses the pass",
    "add the file, or build the pass again from what is there",
)
NAMES_ITSELF = RULES.error(
    "manifest-names-itself",
    "manifest.json and signature must not be in the manifest",
    "leave both out of the manifest and sign again",
)
DIGEST_WRONG = RULES.error(
    "manifest-digest-wrong",
    "the file was changed after the manifest was made",
    "build and sign the pass again after the last change",
)
_OUTSIDE = frozenset({"manifest.json", "signature"})
_SHA1 = re.compile(r"[0-9a-f]{40}")


def check(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Compare the manifest with the files of the archive."""
    if "manifest.json" not in files:
        yield MISSING.found()
        return
    digests = parse(files["manifest.json"])
    if digests is None:
        yield INVALID.found("manifest.json")
        return
    for name in sorted(digests.keys() & _OUTSIDE):
        yield NAMES_ITSELF.found("manifest.json", name)
    listed = digests.keys() - _OUTSIDE
    for name in sorted(files.keys() - _OUTSIDE - listed):
        yield LACKS_FILE.found(name)
    for name in sorted(listed - files.keys()):
        yield NAMES_ABSENT_FILE.found("manifest.json", repr(name))
    for name in sorted(listed & files.keys()):
        if not _SHA1.fullmatch(digests[name]):
            yield NOT_SHA1.found("manifest.json", repr(name))
        elif digests[name] != hashlib.sha1(files[name], usedforsecurity=False).hexdigest():
            yield DIGEST_WRONG.found(name)


def parse(data: bytes) -> dict[str, str] | None:
    """Read a manifest; None if it is not an object of texts, or names a file twice."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(isinstance(digest, str) for digest in value.values()):
        return None
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
