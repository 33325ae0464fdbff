"""Card faces for our own pages, read from the wallets' own data: a decoded pass.json, a Google class and object.

The templates only place what is found here, so a preview cannot show what the phone would not be told.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import segno
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent

Json = Mapping[str, Any]

QUIET_ZONE = 4
ROW_FIELDS = 4
ROW_WIDTH = 292
LETTER, CAPITAL = 7.3, 7.6  # average widths of a value and of a label in their sizes
FIELD_GAP = 10
COLOUR = re.compile(r"rgb\( *\d{1,3} *, *\d{1,3} *, *\d{1,3} *\)|#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}")
PASS_STYLES = ("storeCard", "coupon", "generic", "eventTicket", "boardingPass")
STYLES = {"PKDateStyleShort": "short", "PKDateStyleMedium": "medium", "PKDateStyleLong": "long"}
GOOGLE_DEFAULT = "#1a73e8"


@dataclass(frozen=True, kw_only=True)
class QrCode:
    """A QR symbol as one stroked SVG path; `size` is the side in modules with its quiet zone."""

    size: int
    path: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A label and what stands under it."""

    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a field stands in its row, its text cut to the width."""

    x: int
    width: int
    line: Line


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """The barcode of a face; `qr` is None for the kinds we name instead of drawing."""

    kind: str
    alt: str
    qr: QrCode | None


@dataclass(frozen=True, kw_only=True)
class AppleFace:
    """A store card as an iPhone lays it out, 320 points wide. `row`: secondary and auxiliary fields, at most four."""

    background: str
    foreground: str
    label: str
    logo_text: str
    header: tuple[Line, ...]
    primary: tuple[Line, ...]
    row: tuple[Line, ...]
    back: tuple[Line, ...]
    barcode: Symbol | None
    row_top: int = 196
    barcode_top: int = 268

    @property
    def places(self) -> tuple[Place, ...]:
        """The row's fields as the phone shares the width out: short ones take what they need, long ones are cut."""
        return tuple(_places(self.row, ROW_WIDTH))

    @property
    def height(self) -> int:
        return self.barcode_top + (176 if self.barcode else 0)

    @property
    def spoken(self) -> str:
        return _spoken(self.logo_text, (*self.header, *self.primary, *self.row))


@dataclass(frozen=True, kw_only=True)
class GoogleFace:
    """A loyalty card as Google Wallet lays it out. `clip` names its clip path, apart for each card."""

    background: str
    foreground: str
    issuer: str
    title: str
    logo: str
    hero: str
    rows: tuple[tuple[Line, ...], ...]
    details: tuple[Line, ...]
    barcode: Symbol | None
    clip: str

    @property
    def barcode_top(self) -> int:
        return 126 + 52 * len(self.rows)

    @property
    def hero_top(self) -> int:
        return self.barcode_top + (190 if self.barcode else 0)

    @property
    def spoken(self) -> str:
        return _spoken(self.title, tuple(line for row in self.rows for line in row))


@lru_cache(maxsize=512)
def qr_code(message: str, *, border: int = QUIET_ZONE) -> QrCode:
    """Draw a QR symbol of *message* (UTF-8 where it must be), error correction M or better."""
    symbol = segno.make_qr(message, error="m")
    size = len(symbol.matrix) + 2 * border
    path = "".join(
        f"M{start + border} {y + border}.5h{length}"
        for y, row in enumerate(symbol.matrix)
        for start, length in _runs(row)
    )
    return QrCode(size=size, path=path)


def draw_apple(
    pass_json: Json, *, strings: Mapping[str, str] | None = None, language: str = "en", timezone: str = "UTC"
) -> AppleFace:
    """Read a decoded pass.json as the phone would show it in *language*; `strings` is that language's pass.strings."""
    words = dict(strings or {})
    style: Json = next((pass_json[name] for name in PASS_STYLES if name in pass_json), {})

    def lines(group: str) -> tuple[Line, ...]:
        found = style.get(f"{group}Fields", ())
        return tuple(
            Line(label=_word(words, one.get("label", "")), text=field_text(one, words, language, timezone))
            for one in found
        )

    foreground = _colour(pass_json.get("foregroundColor"), "#000000")
    return AppleFace(
        background=_colour(pass_json.get("backgroundColor"), "#ffffff"),
        foreground=foreground,
        label=_colour(pass_json.get("labelColor"), foreground),
        logo_text=_word(words, pass_json.get("logoText", "")),
        header=lines("header"),
        primary=lines("primary"),
        row=(*lines("secondary"), *lines("auxiliary"))[:ROW_FIELDS],
        back=lines("back"),
        barcode=_apple_barcode(pass_json),
    )


def draw_google(class_json: Json, object_json: Json, *, language: str = "en") -> GoogleFace:
    """Read a loyalty class and object, as the REST API takes them, as the phone would show them in *language*."""
    background = _colour(class_json.get("hexBackgroundColor"), GOOGLE_DEFAULT)
    return GoogleFace(
        background=background,
        foreground=_on(background),
        issuer=_localized(class_json, "issuerName", language),
        title=_localized(class_json, "programName", language),
        logo=_image(class_json.get("programLogo")),
        hero=_image(object_json.get("heroImage")) or _image(class_json.get("heroImage")),
        rows=tuple(row for row in _google_rows(class_json, object_json, language) if row),
        details=tuple(_google_details(class_json, object_json, language)),
        barcode=_google_barcode(object_json),
        clip=f"logo-{crc32(str(object_json.get('id', '')).encode()):08x}-{language}",
    )


def field_text(field: Json, words: Mapping[str, str], language: str, timezone: str) -> str:
    """One field's value as the phone writes it: dates, numbers and money by the reader's locale."""
    value = field.get("value", "")
    locale = language.replace("-", "_")
    if field.get("dateStyle") or field.get("timeStyle"):
        return _date_text(field, str(value), locale, timezone)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = Decimal(str(value))
        if field.get("currencyCode"):
            return str(format_currency(number, field["currencyCode"], locale=locale))
        if field.get("numberStyle") == "PKNumberStylePercent":
            return str(format_percent(number, locale=locale))
        return str(format_decimal(number, locale=locale))
    return _word(words, str(value))


def _date_text(field: Json, value: str, locale: str, timezone: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    if not field.get("ignoresTimeZone") and moment.tzinfo is not None:
        moment = moment.astimezone(ZoneInfo(timezone))
    day, hour = field.get("dateStyle"), field.get("timeStyle")
    day = None if day == "PKDateStyleNone" else day
    hour = None if hour == "PKDateStyleNone" else hour
    if day and hour:
        return str(format_datetime(moment.replace(tzinfo=None), STYLES.get(day, "full"), locale=locale))
    if hour:
        return str(format_time(moment.time(), STYLES.get(hour, "short"), locale=locale))
    return str(format_date(moment.date(), STYLES.get(str(day), "full"), locale=locale))


def _runs(row: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = None
    for x, dark in enumerate([*row, 0]):
        if dark and start is None:
            start = x
        elif not dark and start is not None:
            yield start, x - start
            start = None


def _word(words: Mapping[str, str], text: str) -> str:
    return words.get(text, text)


def _colour(text: object, default: str) -> str:
    """Only a colour gets into the drawing's attributes, whatever the JSON says."""
    return text if isinstance(text, str) and COLOUR.fullmatch(text) else default


def _on(background: str) -> str:
    """Google picks black or white by itself."""
    digits = background.lstrip("#")
    if len(digits) != 6:
        return "#ffffff"
    red, green, blue = bytes.fromhex(digits)
    return "#202124" if (299 * red + 587 * green + 114 * blue) / 1000 > 150 else "#ffffff"


def _spoken(name: str, lines: Sequence[Line]) -> str:
    return ", ".join([name, *(f"{line.label} {line.text}".strip() for line in lines)])


def _places(lines: Sequence[Line], total: int) -> Iterator[Place]:
    wanted = [max(len(one.label) * CAPITAL, len(one.text) * LETTER) + FIELD_GAP for one in lines]
    widths, free, rest = [0.0] * len(lines), float(total), len(lines)
    for index in sorted(range(len(lines)), key=lambda i: wanted[i]):
        widths[index] = min(wanted[index], free / rest)
        free, rest = free - widths[index], rest - 1
    x = 0.0
    for line, width in zip(lines, widths, strict=True):
        letters = round((width - FIELD_GAP) / LETTER)
        shown = line.text if len(line.text) <= letters else line.text[: max(1, letters - 1)].rstrip() + "…"
        yield Place(x=round(x), width=round(width), line=Line(label=line.label, text=shown))
        x += width


def _symbol(kind: str, message: str, alt: str) -> Symbol | None:
    if not message:
        return None
    return Symbol(kind=kind, alt=alt, qr=qr_code(message, border=0) if kind in {"QR", "QR_CODE"} else None)


def _apple_barcode(pass_json: Json) -> Symbol | None:
    found = (pass_json.get("barcodes") or [pass_json.get("barcode") or {}])[0]
    kind = str(found.get("format", "")).removeprefix("PKBarcodeFormat")
    return _symbol(kind, found.get("message", ""), found.get("altText", ""))


def _google_barcode(object_json: Json) -> Symbol | None:
    found = object_json.get("barcode") or {}
    value = found.get("value") or object_json.get("accountId", "")
    return _symbol(found.get("type", "TEXT_ONLY"), value, found.get("alternateText", "")) if found else None


def _localized(holder: Json, name: str, language: str) -> str:
    """`localizedName` in *language*, else its default, else the plain `name`."""
    texts = holder.get(f"localized{name[0].upper()}{name[1:]}")
    if not texts:
        return str(holder.get(name, ""))
    default = texts.get("defaultValue", {})
    everything = [*texts.get("translatedValues", ()), default]
    exact = (one["value"] for one in everything if one.get("language", "").split("-")[0] == language.split("-", 1)[0])
    return str(next(exact, default.get("value", "")))


def _image(image: object) -> str:
    return str(image.get("sourceUri", {}).get("uri", "")) if isinstance(image, Mapping) else ""


def _google_rows(class_json: Json, object_json: Json, language: str) -> Iterator[tuple[Line, ...]]:
    """The rows that the class's template lays out, or Google's own for a loyalty card without one."""
    template = class_json.get("classTemplateInfo", {}).get("cardTemplateOverride", {}).get("cardRowTemplateInfos")
    if not template:
        yield _default_row(class_json, object_json, language)
        return
    for row in template:
        items = next((value for value in row.values() if isinstance(value, Mapping)), {})
        lines = (
            _item(items.get(place), class_json, object_json, language)
            for place in ("item", "startItem", "middleItem", "endItem")
        )
        yield tuple(line for line in lines if line)


def _default_row(class_json: Json, object_json: Json, language: str) -> tuple[Line, ...]:
    points = _points(object_json.get("loyaltyPoints"), language)
    tier = Line(
        label=_localized(class_json, "rewardsTierLabel", language), text=_localized(class_json, "rewardsTier", language)
    )
    return tuple(line for line in (points, tier) if line and line.text)


def _item(item: Json | None, class_json: Json, object_json: Json, language: str) -> Line | None:
    """Resolve one template item to its first filled path."""
    selector = (item or {}).get("firstValue") or (item or {}).get("predefinedItem") or {}
    for field in selector.get("fields", ()):
        line = _at_path(field.get("fieldPath", ""), class_json, object_json, language)
        if line and line.text:
            return line
    return None


def _at_path(path: str, class_json: Json, object_json: Json, language: str) -> Line | None:
    holder = class_json if path.startswith("class.") else object_json
    rest = path.split(".", 1)[-1]
    if match := re.fullmatch(r"textModulesData\['([^']+)'\](?:\..*)?", rest):
        module = next((one for one in holder.get("textModulesData", ()) if one.get("id") == match[1]), None)
        return _module(module, language) if module else None
    if rest.startswith(("loyaltyPoints", "secondaryLoyaltyPoints")):
        return _points(holder.get(rest.split(".")[0]), language)
    labels = {"accountName": "accountNameLabel", "accountId": "accountIdLabel", "rewardsTier": "rewardsTierLabel"}
    name = re.sub(r"^localized(\w)", lambda found: found[1].lower(), rest.split(".")[0])
    label = _localized(class_json, labels[name], language) if name in labels else ""
    return Line(label=label, text=_localized(holder, name, language))


def _module(module: Json, language: str) -> Line:
    return Line(label=_localized(module, "header", language), text=_localized(module, "body", language))


def _promotion(module: Json, language: str) -> Line:
    """Its texts are localized alone, without a plain twin."""
    twins = {"localizedHeader": module.get("header"), "localizedBody": module.get("body")}
    return _module({name: text for name, text in twins.items() if text}, language)


def _points(points: Json | None, language: str) -> Line | None:
    if not points:
        return None
    balance = points.get("balance", {})
    locale = language.replace("-", "_")
    if "int" in balance:
        text = str(format_decimal(balance["int"], locale=locale))
    elif "money" in balance:
        amount = Decimal(balance["money"]["micros"]) / 1_000_000
        text = str(format_currency(amount, balance["money"]["currencyCode"], locale=locale))
    else:
        text = str(balance.get("string", balance.get("double", "")))
    return Line(label=_localized(points, "label", language), text=text)


def _google_details(class_json: Json, object_json: Json, language: str) -> Iterator[Line]:
    for holder in (object_json, class_json):
        for message in holder.get("messages", ()):
            yield _module(message, language)
        for promotion in holder.get("valueAddedModuleData", ()):
            yield _promotion(promotion, language)
        for module in holder.get("textModulesData", ()):
            yield _module(module, language)


GLOBALS = {"qr_code": qr_code, "draw_apple": draw_apple, "draw_google": draw_google}
