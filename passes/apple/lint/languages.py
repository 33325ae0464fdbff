"""Translations: readable, complete, and for texts that the pass has."""

from collections import Counter
from collections.abc import Iterator, Mapping

from passes.apple import strings
from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.document import texts
from passes.apple.lint.subject import Subject, shown
from passes.errors import InvalidPass

RULES = Rulebook()
UNREADABLE = RULES.error(
    "strings-unreadable",
    "the file cannot be read, so labels stay raw or empty",
    'write lines "key" = "value"; with \\" and \\\\ escaped',
)
NO_BOM = RULES.warning(
    "strings-byte-order-mark",
    "UTF-16 without a byte order mark is read in the wrong order by some devices",
    "write UTF-16 with a byte order mark",
)
UTF8 = RULES.note(
    "strings-utf-8", "Apple asks for UTF-16 where text is not ASCII", "write UTF-16 with a byte order mark"
)
KEYS_DIFFER = RULES.warning(
    "strings-keys-differ",
    "a language lacks keys that another has, so its texts stay untranslated",
    "add the missing keys",
)
KEY_TWICE = RULES.warning("strings-key-twice", "a key stands twice in one file", "keep one of the two lines")
KEY_UNUSED = RULES.warning(
    "strings-key-unused",
    "the key is no text of pass.json, so its translation is never shown",
    "use the literal text of pass.json as key",
)
SINGLE = RULES.note(
    "language-single",
    "with a single language folder, devices of every language may show its texts",
    "add a second language, or write the texts straight into pass.json",
)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every pass.strings."""
    languages: dict[str, set[str]] = {}
    known = set(texts(subject.document))
    for name, data in sorted(subject.files.items()):
        if not name.endswith(".lproj/pass.strings"):
            continue
        yield from _encoding(name, data)
        try:
            pairs = strings.pairs(_marked(data))
        except InvalidPass as error:
            yield UNREADABLE.found(name, str(error))
            continue
        keys = [key for key, _ in pairs]
        languages[name] = set(keys)
        for key in sorted(key for key, times in Counter(keys).items() if times > 1):
            yield KEY_TWICE.found(name, shown(key))
        for key in sorted(languages[name] - known) if subject.document else ():
            yield KEY_UNUSED.found(name, shown(key))
    yield from _compare(languages)


def _compare(languages: Mapping[str, set[str]]) -> Iterator[Finding]:
    every = set().union(*languages.values()) if languages else set()
    for name, keys in languages.items():
        if missing := every - keys:
            yield KEYS_DIFFER.found(name, f"{len(missing)} missing, for example {shown(min(missing))}")
    if len(languages) == 1:
        yield SINGLE.found(next(iter(languages)))


def _encoding(name: str, data: bytes) -> Iterator[Finding]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    if b"\0" in data:
        yield NO_BOM.found(name)
    elif not data.isascii():
        yield UTF8.found(name)


def _marked(data: bytes) -> bytes:
    """The same text with the mark that it lacks, so that its content can be looked at as well."""
    if b"\0" not in data or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data
    return (b"\xff\xfe" if data[1:2] == b"\0" else b"\xfe\xff") + data
