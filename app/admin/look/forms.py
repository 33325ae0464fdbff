"""A design as it is typed: brought together from one field for each text and language, and checked."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.admin.texts import gettext
from app.cards.design import HEX, READABLE, Design, contrast
from app.errors import Unprocessable
from app.i18n import LANGUAGES

COLORS = ("background_color", "foreground_color", "label_color")
LINES = ("website", "contact")
# text: the longest that is taken
TEXTS = {"points_label": 30, "benefit": 150, "about": 2000, "terms": 2000}
UNSHOWABLE = {"Cc", "Cs", "Co", "Cn"}


@dataclass(frozen=True, kw_only=True)
class LookForm:
    """What was typed. `design` is None when it has errors; `published` is the design's version that was edited."""

    design: Design | None
    errors: dict[str, str]
    published: int


def parse(form: Mapping[str, str], kept: Design) -> LookForm:
    """Read a design; languages that have no field here keep what *kept* says in them. Never raises."""
    errors: dict[str, str] = {}
    raw: dict[str, Any] = {name: form.get(name, getattr(kept, name)) for name in (*COLORS, *LINES)}
    for name, longest in TEXTS.items():
        raw[name] = {key: text for key, text in getattr(kept, name).items() if key not in LANGUAGES}
        for language in LANGUAGES:
            typed = form.get(f"{name}-{language}", "").replace("\r\n", "\n").strip()
            errors |= _text_problem(f"{name}-{language}", typed, longest)
            raw[name] |= {language: typed} if typed else {}
    for name in LINES:
        errors |= _text_problem(name, str(raw[name]).strip(), 200)
    errors |= _contrast_problems(raw)
    try:
        design = Design.parse(raw)
    except Unprocessable as problem:
        errors = {**{name: _words(name, text, raw) for name, text in problem.errors.items()}, **errors}
    version = form.get("published", "")
    published = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
    return LookForm(design=None if errors else design, errors=errors, published=published)


def typed(design: Design) -> dict[str, str]:
    """A design as the fields of the form show it."""
    values = {name: str(getattr(design, name)) for name in (*COLORS, *LINES)}
    for name in TEXTS:
        values |= {f"{name}-{language}": getattr(design, name).get(language, "") for language in LANGUAGES}
    return values


def _text_problem(field: str, text: str, longest: int) -> dict[str, str]:
    if len(text) > longest:
        return {field: gettext("This has at most %(num)d characters.", num=longest)}
    if any(unicodedata.category(symbol) in UNSHOWABLE and symbol != "\n" for symbol in text):
        return {field: gettext("This holds a character that phones cannot show; type it again.")}
    return {}


def _contrast_problems(raw: Mapping[str, Any]) -> dict[str, str]:
    """Said together with all other faults: a design is checked for contrast only once each of its fields is right."""
    background, text, label = (str(raw[name]).strip().lower() for name in COLORS)
    if not all(HEX.fullmatch(color) for color in (background, text, label)):
        return {}
    colors = Design(background_color=background, foreground_color=text, label_color=label)
    return {name: _words(name, "", raw) for name in colors.unreadable()}


def _words(name: str, text: str, raw: Mapping[str, Any]) -> str:
    if name == "website":
        return gettext("Write the whole address, for example https://shop.example.")
    if name not in COLORS:
        return text
    color, background = (str(raw[one]).strip().lower() for one in (name, "background_color"))
    if not HEX.fullmatch(color) or not HEX.fullmatch(background):
        return gettext("Write the colour as #rrggbb, for example #1f3a5f.")
    ratio = f"{contrast(color, background):.1f}"
    return gettext(
        "Contrast with the background is %(ratio)s:1; readable text needs %(least)s:1.", ratio=ratio, least=READABLE
    )
