"""Images: there, readable, of the right size, in one place."""

import difflib
from collections.abc import Iterator

from passes.apple import images
from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.subject import Subject
from passes.errors import InvalidPass

RULES = Rulebook()
NO_ICON = RULES.error(
    "icon-missing",
    "Wallet refuses a pass without icon.png, and says nothing",
    "add icon.png, icon@2x.png and icon@3x.png at the top level",
)
ICON_SCALES = RULES.note(
    "icon-scales", "phones show the icon at @2x or @3x", "add both icon@2x.png (76 x 76) and icon@3x.png (114 x 114)"
)
UNREADABLE = RULES.error("image-unreadable", "the file is not a whole PNG of usable size", "save it again as PNG")
UNKNOWN = RULES.warning(
    "image-unknown", "Wallet knows no image of this name and never shows it", "use a name such as logo@2x.png"
)
SIZE = RULES.warning("image-size", "Wallet scales or crops the image", "save it in the exact size")
STYLE = RULES.warning("image-style", "this style has no place for the image", "remove it, or use strip and logo")
OVERRIDDEN = RULES.warning(
    "image-overrides-localized",
    "the image at the top level wins, so the localized one is never shown",
    "keep the image in one place",
)
LOCALIZED = RULES.note(
    "image-localized",
    "a localized image may not change on a card that is installed already",
    "keep images that change at the top level",
)
PDF = RULES.warning("image-pdf", "it is not known which systems read PDF images", "save the image as PNG")
POSTER = RULES.warning("poster-artwork-missing", "posterGeneric needs an artwork image", "add artwork@2x.png and @3x")


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every image."""
    names = subject.files
    if not images.has_icon(names):
        yield NO_ICON.found()
    elif not {"icon@2x.png", "icon@3x.png"} <= names.keys():
        yield ICON_SCALES.found()
    if "posterGeneric" in subject.styles and not {"artwork.png", "artwork@2x.png", "artwork@3x.png"} & names.keys():
        yield POSTER.found()
    for name, data in names.items():
        folder, _, file = name.rpartition("/")
        if file.lower().endswith(".png"):
            yield from _png(subject, name, file, data)
            if folder:
                yield OVERRIDDEN.found(name) if file in names else LOCALIZED.found(name)
        elif file.lower().endswith((".jpg", ".jpeg", ".gif", ".svg", ".webp")):
            yield UNKNOWN.found(name, "it is not a PNG")
        elif file.lower().endswith(".pdf"):
            yield PDF.found(name)


def _png(subject: Subject, name: str, file: str, data: bytes) -> Iterator[Finding]:
    known = images.slot_and_scale(file)
    header = None
    try:
        header = images.read_png(data)
    except InvalidPass as error:
        yield UNREADABLE.found(name, str(error))
    if known is None:
        usual = [f"{slot}{scale}.png" for slot in images.SLOTS for scale in ("", "@2x", "@3x")]
        near = difflib.get_close_matches(file[:80], usual, n=1, cutoff=0.7)
        yield UNKNOWN.found(name, hint=f"name it {near[0]}" if near else "")
        return
    slot, scale = known
    if header is not None and (problem := images.size_problem(slot, scale, header)):
        yield SIZE.found(name, problem)
    if subject.styles and not slot.styles.intersection(subject.styles):
        yield STYLE.found(name, f"{slot.name} in {' and '.join(subject.styles)}")
