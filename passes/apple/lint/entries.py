"""The archive itself: names, folders, strange entries."""

import re
from collections.abc import Iterator

from passes.apple import strings
from passes.apple.archive import duplicate_names
from passes.apple.bundle import is_unsafe
from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.subject import Subject

PASS_BYTES_GOOD = 300 * 1024
RULES = Rulebook()
PARENT_FOLDER = RULES.error(
    "archive-parent-folder",
    "the files lie in a folder inside the archive, where Wallet does not look",
    "archive the contents of the folder, not the folder",
)
LINK = RULES.error("entry-link", "a symbolic link is in the archive", "store the file itself")
DUPLICATE = RULES.error("entry-duplicate", "a name is in the archive twice", "keep one of the entries")
JUNK = RULES.error(
    "entry-junk",
    "a file of the desktop is in the archive",
    "leave out .DS_Store, __MACOSX, Thumbs.db and the like; `tessera pass build` does",
)
NAME = RULES.error(
    "entry-name",
    "a name is not plain ASCII with forward slashes inside the pass",
    "rename the file to ASCII letters, digits, . _ - and @",
)
DESCRIPTOR = RULES.warning(
    "entry-data-descriptor",
    "a stored entry has its size behind the data, which streaming readers on Android cannot read",
    "write the archive to memory or a file first, so that sizes go into the local headers",
)
LANGUAGE_FOLDER = RULES.warning(
    "language-folder",
    "the folder is not a language in the exact case, so its content is never used",
    "name it like en.lproj, pt-BR.lproj or zh-Hans.lproj",
)
LARGE = RULES.note(
    "archive-large",
    "the pass is large, and every update downloads all of it",
    "make the images smaller; under 300 KB updates stay quick",
)
_JUNK = re.compile(r"(?:.*/)?(?:\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini|\.git(?:/.*)?)|__MACOSX(?:/.*)?")


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every entry's name and kind."""
    yield from _parent_folder(subject)
    for name in duplicate_names(subject.entries):
        yield DUPLICATE.found(name)
    for entry in subject.entries:
        if entry.is_link:
            yield LINK.found(entry.name)
        if _JUNK.fullmatch(entry.name):
            yield JUNK.found(entry.name)
        if is_unsafe(entry) or not entry.name.isascii():
            yield NAME.found(entry.name)
        if entry.stored and entry.has_descriptor and not entry.is_folder:
            yield DESCRIPTOR.found(entry.name)
    yield from _language_folders(subject)
    size = sum(len(entry.data) for entry in subject.entries)
    if size > PASS_BYTES_GOOD:
        yield LARGE.found("", f"{size:,} bytes")


def _language_folders(subject: Subject) -> Iterator[Finding]:
    for folder in sorted({entry.name.split("/")[0] for entry in subject.entries if "/" in entry.name}):
        if folder.lower().endswith(".lproj"):
            language = folder[: -len(".lproj")]
            if not (folder.endswith(".lproj") and strings.LANGUAGE.fullmatch(language)):
                yield LANGUAGE_FOLDER.found(f"{folder}/")


def _parent_folder(subject: Subject) -> Iterator[Finding]:
    if "pass.json" in subject.files:
        return
    inside = [name for name in subject.files if name.endswith("/pass.json") and ".lproj/" not in name]
    if inside:
        yield PARENT_FOLDER.found(inside[0])
