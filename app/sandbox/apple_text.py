"""What the simulated iPhone writes: field values in its language, and the lines on its lock screen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent, format_scientific

from app.sandbox.apple_pass import ApplePass
from app.sandbox.phone_time import utc_now

_DATE_STYLES = {"PKDateStyleShort": "short", "PKDateStyleMedium": "medium", "PKDateStyleLong": "long"}
_SAFE_LINKS = ("https://", "http://", "tel:", "mailto:")
_SEVERAL_CHANGED = {"en": "Your card was updated.", "tr": "Kartınız güncellendi.", "id": "Kartu Anda diperbarui."}


@dataclass(frozen=True)
class Place:
    """Where and in which language the phone is read."""

    language: str
    timezone: str

    @property
    def locale(self) -> Locale:
        for name in (self.language, self.language.partition("-")[0]):
            try:
                return Locale.parse(name, sep="-")
            except (UnknownLocaleError, ValueError):
                continue
        return Locale("en")


@dataclass(frozen=True)
class Change:
    """A field whose value differs between two versions of a pass, as the user reads it."""

    key: str
    label: str
    old: str
    new: str
    message: str | None


def field_text(apple_pass: ApplePass, field: dict[str, Any], place: Place) -> str:
    """The value of the field as Wallet shows it."""
    value = field.get("value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, field, place)
    text = str(value if value is not None else "")
    if {"dateStyle", "timeStyle", "isRelative"} & set(field):
        return _date(text, field, place)
    return apple_pass.text(text, place.language)


def _number(value: int | float, field: dict[str, Any], place: Place) -> str:
    number = Decimal(str(value))
    if "currencyCode" in field:
        return str(format_currency(number, field["currencyCode"], locale=place.locale))
    match field.get("numberStyle"):
        case "PKNumberStyleDecimal":
            return str(format_decimal(number, locale=place.locale))
        case "PKNumberStylePercent":
            return str(format_percent(number, locale=place.locale))
        case "PKNumberStyleScientific":
            return str(format_scientific(number, locale=place.locale))
    return str(value)


def _date(text: str, field: dict[str, Any], place: Place) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is None:
        return text
    if field.get("isRelative") is True:
        return str(format_timedelta(at - utc_now(), add_direction=True, locale=place.locale))
    if field.get("ignoresTimeZone") is not True:
        at = at.astimezone(ZoneInfo(place.timezone))
    parts = [
        _styled(at.date(), field.get("dateStyle"), format_date, place),
        _styled(at.timetz(), field.get("timeStyle"), format_time, place),
    ]
    written = " ".join(part for part in parts if part)
    return written or str(format_datetime(at, "medium", tzinfo=at.tzinfo, locale=place.locale))


def _styled(part: date | time, style: object, write: Callable[..., str], place: Place) -> str:
    if style in (None, "PKDateStyleNone"):
        return ""
    return write(part, _DATE_STYLES.get(str(style), "full"), locale=place.locale)


def changes_between(old: ApplePass, new: ApplePass, place: Place) -> list[Change]:
    """The fields, by key, whose values differ; a field that is new to the card raises no message."""
    before, changes = old.fields, []
    for key, field in new.fields.items():
        previous = before.get(key)
        if previous is not None and previous.get("value") == field.get("value"):
            continue
        new_text = field_text(new, field, place)
        template = field.get("changeMessage") if previous is not None else None
        changes.append(
            Change(
                key=key,
                label=new.text(str(field.get("label", key)), place.language),
                old=field_text(old, previous, place) if previous is not None else "",
                new=new_text,
                message=new.text(template, place.language).replace("%@", new_text) if template else None,
            )
        )
    return changes


def lock_screen_line(changes: list[Change], place: Place) -> str | None:
    """What the lock screen says: the one message, a general line for several, nothing for none."""
    messages = [change.message for change in changes if change.message]
    if len(messages) > 1:
        return _SEVERAL_CHANGED.get(place.locale.language, _SEVERAL_CHANGED["en"])
    return messages[0] if messages else None


def linked_parts(text: str) -> list[dict[str, str]]:
    """The text of an attributed value as pieces {text, href}; of HTML only links are honoured."""
    reader = _LinkReader()
    reader.feed(text)
    reader.close()
    return reader.parts


class _LinkReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[dict[str, str]] = []
        self._href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            href = dict(attrs).get("href") or ""
            self._href = href if href.startswith(_SAFE_LINKS) else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = ""

    def handle_data(self, data: str) -> None:
        self.parts.append({"text": data, "href": self._href})
