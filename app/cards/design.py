"""How a programme's cards look: checked when saved, so that nothing unreadable is ever published."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from app.cards import texts
from app.errors import Unprocessable

HEX = re.compile(r"#[0-9a-f]{6}")
READABLE = 4.5


@dataclass(frozen=True, kw_only=True)
class Design:
    """Colours are `#rrggbb`; `about`, `terms` and the like are texts by language."""

    background_color: str = "#1f3a5f"
    foreground_color: str = "#ffffff"
    label_color: str = "#d9e4f2"
    points_label: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    benefit: dict[str, str] = field(default_factory=dict)
    website: str = ""
    contact: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Design":
        """Read a design from JSON or a form.

        Raises: Unprocessable `invalid_design` with a sentence for each faulty field.
        """
        errors: dict[str, str] = {}
        known = set(cls.__dataclass_fields__)
        for name in raw:
            if name not in known:
                errors[str(name)] = f"A design has no {name}; it has {', '.join(sorted(known))}."
        values = {name: _parse_one(name, raw[name], errors) for name in known & set(raw)}
        if errors:
            raise _refusal(errors)
        design = cls(**values)
        unreadable = design.unreadable()
        if unreadable:
            raise _refusal(unreadable)
        return design

    def unreadable(self) -> dict[str, str]:
        """Text colours with too little contrast against the background, by field."""
        found: dict[str, str] = {}
        for name in ("foreground_color", "label_color"):
            ratio = contrast(getattr(self, name), self.background_color)
            if ratio < READABLE:
                found[name] = f"Contrast with the background is {ratio:.1f}:1; readable text needs {READABLE}:1."
        return found

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def luminance(color: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two `#rrggbb` colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable_on(background: str, wanted: str) -> str:
    """*wanted*, darkened or lightened step by step until it can be read on *background*."""
    toward = 0 if luminance(background) > 0.18 else 255
    channels = [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]
    for step in range(21):
        mixed = [round(c + (toward - c) * step / 20) for c in channels]
        color = "#{:02x}{:02x}{:02x}".format(*mixed)
        if contrast(color, background) >= READABLE:
            return color
    return "#000000" if toward == 0 else "#ffffff"


def _refusal(errors: dict[str, str]) -> Unprocessable:
    return Unprocessable("invalid_design", " ".join(errors.values()), errors=errors)


def _parse_one(name: str, value: Any, errors: dict[str, str]) -> Any:
    if name.endswith("_color"):
        text = str(value).strip().lower()
        if not HEX.fullmatch(text):
            errors[name] = "Write the colour as #rrggbb, for example #1f3a5f."
        return text
    if name in {"website", "contact"}:
        return _line(name, value, errors)
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        errors[name] = 'Write the texts by language, for example {"en": "Points", "tr": "Puan"}.'
        return {}
    if not all(texts.is_showable(text, lines=True) for text in value.values()):
        errors[name] = "A text holds a character that cannot be shown; type it again."
    return {str(language): text.strip()[:2000] for language, text in value.items() if text.strip()}


def _line(name: str, value: Any, errors: dict[str, str]) -> str:
    if not isinstance(value, str):
        errors[name] = "Write this as text."
        return ""
    text = value.strip()
    if not texts.is_showable(text):
        errors[name] = "This holds a character that cannot be shown; type it again."
    if len(text) > 200:
        errors[name] = "This has at most 200 characters."
    if name == "website" and text and not text.startswith(("https://", "http://")):
        errors[name] = "Write the whole address, for example https://shop.example."
    return text
