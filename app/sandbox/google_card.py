"""A Google card as a phone shows it: the object over its class, in the phone's language, at this moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal

from app.sandbox.phone_ports import Json
from app.sandbox.phone_time import utc_now

MESSAGES_MAX = 10
MODULES_MAX = 10
VALUE_ADDED_MAX = 15
MICROS = 1_000_000


@dataclass(frozen=True)
class GoogleCard:
    """The stored object and class, and the language to read them in."""

    wallet_object: Json
    wallet_class: Json
    language: str

    def view(self) -> Json:
        """Everything the phone shows, as plain values."""
        return {
            "id": self.wallet_object.get("id"),
            "state": str(self.wallet_object.get("state", "")).upper(),
            "issuer": self._text(self.wallet_class, "issuerName"),
            "programme": self._text(self.wallet_class, "programName") or self._text(self.wallet_class, "title"),
            "colour": self.wallet_class.get("hexBackgroundColor"),
            "logo": _image(self.wallet_class.get("programLogo") or self.wallet_class.get("titleImage")),
            "wide_logo": _image(self.wallet_class.get("wideProgramLogo")),
            "hero": _image(self.wallet_object.get("heroImage") or self.wallet_class.get("heroImage")),
            "points": [
                point
                for name in ("loyaltyPoints", "secondaryLoyaltyPoints")
                if (point := self._points(name)) is not None
            ],
            "tiers": self._tiers(),
            "account": self._account(),
            "barcode": self._barcode(),
            "messages": self._messages(),
            "offers": self._value_added(),
            "texts": [*self._texts(self.wallet_object), *self._texts(self.wallet_class)],
            "links": [*self._links(self.wallet_class), *self._links(self.wallet_object)],
            "linked_offers": list(self.wallet_object.get("linkedOfferIds") or []),
        }

    def points_text(self) -> str:
        points = self._points("loyaltyPoints")
        return points["value"] if points else ""

    def _text(self, holder: Json, name: str) -> str:
        twin = f"localized{name[0].upper()}{name[1:]}"
        return localised(holder.get(twin), self.language) or str(holder.get(name) or "")

    def _points(self, name: str) -> Json | None:
        points = self.wallet_object.get(name)
        if not isinstance(points, dict):
            return None
        return {"label": self._text(points, "label"), "value": balance_text(points.get("balance"), self.language)}

    def _tiers(self) -> list[Json]:
        return [
            {"label": self._text(self.wallet_class, f"{name}Label"), "value": value}
            for name in ("rewardsTier", "secondaryRewardsTier")
            if (value := self._text(self.wallet_class, name))
        ]

    def _account(self) -> list[Json]:
        return [
            {"label": self._text(self.wallet_class, f"{name}Label") or default, "value": value}
            for name, default in (("accountName", "Name"), ("accountId", "Account"))
            if (value := str(self.wallet_object.get(name) or ""))
        ]

    def _barcode(self) -> Json | None:
        barcode = self.wallet_object.get("barcode")
        if not isinstance(barcode, dict):
            return None
        kind = {"qrCode": "QR_CODE", "code128": "CODE_128", "pdf417": "PDF_417", "aztec": "AZTEC"}
        value = str(barcode.get("value") or self.wallet_object.get("accountId") or "")
        shown = str(barcode.get("alternateText") or "")
        return {"type": kind.get(str(barcode.get("type")), str(barcode.get("type"))), "value": value, "text": shown}

    def _messages(self) -> list[Json]:
        messages = [
            *_current(self.wallet_object.get("messages"))[-MESSAGES_MAX:],
            *_current(self.wallet_class.get("messages"))[-MESSAGES_MAX:],
        ]
        return [{"header": self._text(item, "header"), "body": self._text(item, "body")} for item in messages]

    def _value_added(self) -> list[Json]:
        modules: list[Json] = []
        for holder in (self.wallet_object, self.wallet_class):
            own = [
                module
                for module in holder.get("valueAddedModuleData") or []
                if _is_now((module.get("viewConstraints") or {}).get("displayInterval"))
            ]
            modules += sorted(own, key=lambda module: int(module.get("sortIndex") or 0))
        return [
            {
                "header": localised(module.get("header"), self.language),
                "body": localised(module.get("body"), self.language),
                "image": _image(module.get("image")),
                "uri": _safe_uri(module.get("uri")),
            }
            for module in modules[:VALUE_ADDED_MAX]
        ]

    def _texts(self, holder: Json) -> list[Json]:
        return [
            {"id": module.get("id"), "header": self._text(module, "header"), "body": self._text(module, "body")}
            for module in (holder.get("textModulesData") or [])[:MODULES_MAX]
        ]

    def _links(self, holder: Json) -> list[Json]:
        uris = list((holder.get("linksModuleData") or {}).get("uris") or [])
        if isinstance(holder.get("homepageUri"), dict):
            uris.insert(0, holder["homepageUri"])
        return [
            {"text": self._text(link, "description") or str(link.get("uri")), "uri": _safe_uri(link.get("uri"))}
            for link in uris
        ]


def localised(value: Any, language: str) -> str:
    """The text of a LocalizedString for a device: its language, the base of it, else the default value."""
    if not isinstance(value, dict):
        return ""
    texts = {item["language"]: item["value"] for item in value.get("translatedValues") or [] if "language" in item}
    default = value.get("defaultValue") or {}
    if "language" in default:
        texts.setdefault(default["language"], default.get("value", ""))
    for wanted in (language, language.partition("-")[0]):
        if wanted in texts:
            return str(texts[wanted])
    return str(default.get("value", ""))


def balance_text(balance: Any, language: str) -> str:
    """A points balance as shown: exactly one of its members is set."""
    if not isinstance(balance, dict):
        return ""
    locale = locale_of(language)
    try:
        if "money" in balance:
            money = balance["money"]
            amount = Decimal(str(money.get("micros", "0"))) / MICROS
            return str(format_currency(amount, money.get("currencyCode", "XXX"), locale=locale))
        if "double" in balance:
            return str(format_decimal(Decimal(str(balance["double"])), locale=locale))
    except (InvalidOperation, ValueError, AttributeError):
        return "?"
    return str(balance.get("string", balance.get("int", "")))


def locale_of(language: str) -> Locale:
    for name in (language, language.partition("-")[0]):
        try:
            return Locale.parse(name, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def _current(items: Any) -> list[Json]:
    return [item for item in items or [] if _is_now(item.get("displayInterval"))]


def _is_now(interval: Any) -> bool:
    if not isinstance(interval, dict):
        return True
    now = utc_now()
    start, end = (_instant((interval.get(edge) or {}).get("date")) for edge in ("start", "end"))
    return (start is None or start <= now) and (end is None or now < end)


def _instant(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _image(image: Any) -> str:
    return _safe_uri((image.get("sourceUri") or {}).get("uri")) if isinstance(image, dict) else ""


def _safe_uri(uri: Any) -> str:
    text = str(uri or "")
    return text if text.startswith(("https://", "http://", "tel:", "mailto:", "geo:")) else ""


def differences(old: Json | None, new: Json) -> Iterable[str]:
    """What a person would notice between two views of a card, in words."""
    if old is None:
        return
    before, after = _labelled(old), _labelled(new)
    for label, value in after.items():
        if label in before and before[label] != value:
            yield f"{label} {before[label]} → {value}"
    for name, noun in (("messages", "message"), ("offers", "offer")):
        fresh = [item["header"] or item["body"] for item in new[name] if item not in old[name]]
        if fresh:
            yield f"new {noun}: {fresh[0]}"
        elif len(new[name]) < len(old[name]):
            yield f"a {noun} left"
    if old["state"] != new["state"]:
        yield f"{old['state'].lower()} → {new['state'].lower()}"


def _labelled(view: Json) -> dict[str, str]:
    values = {item["label"]: item["value"] for item in [*view["points"], *view["tiers"], *view["account"]]}
    return values | {item["header"]: item["body"] for item in view["texts"]}
