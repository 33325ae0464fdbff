"""The parts of a class or an object, each as Google's JSON. None becomes None, and `tidy` leaves it out."""

from collections.abc import Mapping

from passes.google.model import (
    AppLink,
    Barcode,
    Image,
    Item,
    Link,
    LocalizedText,
    MerchantLocation,
    Message,
    Money,
    Points,
    RotatingBarcode,
    TextModule,
    TimeInterval,
    ValueAddedModule,
)
from passes.google.schema import Body

MICROS_DIGITS = 6

# ISO 4217: every currency that does not have two digits after the point.
_NO_DIGITS = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_THREE_DIGITS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_FOUR_DIGITS = ("CLF", "UYW")
_MINOR_DIGITS = dict.fromkeys(_NO_DIGITS, 0) | dict.fromkeys(_THREE_DIGITS, 3) | dict.fromkeys(_FOUR_DIGITS, 4)


def tidy(body: Mapping[str, object]) -> Body:
    """Leave out what holds nothing."""
    return {name: value for name, value in body.items() if value not in (None, [], {})}


def twins(name: str, text: LocalizedText | None) -> Body:
    """The plain member, which Google demands, beside the localized one, which it shows."""
    if text is None:
        return {}
    return {name: text.value, f"localized{name[0].upper()}{name[1:]}": localized(text)}


def localized(text: LocalizedText | None) -> Body | None:
    """A text with its translations, in a stable order."""
    if text is None:
        return None
    others = sorted((tag, value) for tag, value in text.translations.items() if tag.lower() != text.language.lower())
    return tidy(
        {
            "defaultValue": {"language": text.language, "value": text.value},
            "translatedValues": [{"language": tag, "value": value} for tag, value in others],
        }
    )


def image(picture: Image | None) -> Body | None:
    """An image by its address; Google's servers fetch it."""
    if picture is None:
        return None
    return tidy({"sourceUri": {"uri": picture.uri}, "contentDescription": localized(picture.description)})


def link(target: Link | None) -> Body | None:
    """A link with the words to tap on."""
    if target is None:
        return None
    return tidy({"uri": target.uri, "id": target.id, **twins("description", target.description)})


def time_interval(interval: TimeInterval | None) -> Body | None:
    """ISO 8601, with an offset where the time is aware."""
    if interval is None:
        return None
    ends = {"start": interval.start, "end": interval.end}
    return tidy({name: None if at is None else {"date": at.isoformat()} for name, at in ends.items()})


def message(text: Message) -> Body:
    """One message; a silent one says so, because a missing type would leave the choice to Google."""
    return tidy(
        {
            "id": text.id,
            **twins("header", text.header),
            **twins("body", text.body),
            "messageType": "TEXT_AND_NOTIFY" if text.notify else "TEXT",
            "displayInterval": time_interval(text.shown),
        }
    )


def text_module(module: TextModule) -> Body:
    """A header and a text on the card."""
    return {"id": module.id, **twins("header", module.header), **twins("body", module.body)}


def merchant_location(place: MerchantLocation) -> Body:
    """Degrees as JSON numbers."""
    return {"latitude": float(place.latitude), "longitude": float(place.longitude)}


def value_added_module(module: ValueAddedModule) -> Body:
    """A promotion that appears and leaves by itself."""
    shown = time_interval(module.shown)
    return tidy(
        {
            "header": localized(module.header),
            "body": localized(module.body),
            "uri": module.uri,
            "image": image(module.image),
            "sortIndex": module.sort_index,
            "viewConstraints": None if shown is None else {"displayInterval": shown},
        }
    )


def app_link(button: AppLink | None) -> Body | None:
    """The one button on the front."""
    if button is None:
        return None
    words = button.text.value if button.text else button.uri
    web = {"appTarget": {"targetUri": {"uri": button.uri, "description": words}}}
    android = {"appTarget": {"packageName": button.package_name}}
    return tidy(
        {
            "webAppLinkInfo": web if button.uri else None,
            "androidAppLinkInfo": android if button.package_name else None,
            "displayText": localized(button.text),
        }
    )


def barcode(code: Barcode | None) -> Body | None:
    """A static code."""
    if code is None:
        return None
    return tidy(
        {
            "type": code.type.value,
            "value": code.value,
            "alternateText": code.alternate_text,
            "renderEncoding": "UTF_8" if code.utf_8 else None,
        }
    )


def rotating_barcode(code: RotatingBarcode | None) -> Body | None:
    """A code that the phone computes; the secret is in it, so it never belongs in a link."""
    if code is None:
        return None
    keys = [{"key": key.key_hex, "valueLength": key.digits} for key in code.keys]
    details = {"algorithm": "TOTP_SHA1", "periodMillis": str(code.period_ms), "parameters": keys}
    return tidy(
        {
            "type": code.type.value,
            "valuePattern": code.pattern,
            "totpDetails": details,
            "alternateText": code.alternate_text,
        }
    )


def points(value: Points | None) -> Body | None:
    """A balance with exactly one of text, whole number and money."""
    if value is None:
        return None
    return {**twins("label", value.label), "balance": _balance(value.balance)}


def _balance(balance: int | str | Money) -> Body:
    if isinstance(balance, Money):
        return {"money": {"micros": str(micros(balance)), "currencyCode": balance.currency}}
    return {"string": balance} if isinstance(balance, str) else {"int": balance}


def micros(money: Money) -> int:
    """Millionths of the currency's unit, exact: 12.50 EUR and 12500 KWD minor units are both 12,500,000.

    Source: ISO 4217 for the digits of each currency.
    """
    return int(money.minor_units * 10 ** (MICROS_DIGITS - _MINOR_DIGITS.get(money.currency, 2)))


def selector(paths: tuple[str, ...]) -> Body:
    """The first path that is not empty is shown."""
    return {"fields": [{"fieldPath": path} for path in paths]}


def item(place: Item) -> Body:
    """One place on the card, of one value or two."""
    second = selector(place.second) if place.second else None
    return tidy({"firstValue": selector(place.paths), "secondValue": second})
