"""Styles, groups of fields, and each field."""

import difflib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from passes.apple import model
from passes.apple.encode import HEADER_FIELDS_MAX, PRIMARY_FIELDS_MAX, SHARED_ROW_FIELDS_MAX
from passes.apple.fieldtext import CURRENCY, HONOURED_MARKUP
from passes.apple.findings import Finding, Rulebook
from passes.apple.lint import dates
from passes.apple.lint.subject import CLASSIC_STYLES, Json, Subject, place, shown

RULES = Rulebook()
NO_STYLE = RULES.error("style-missing", "Wallet refuses a pass without a style", "add storeCard with its fields")
STYLES = RULES.error("style-several", "a pass has exactly one classic style", "keep one of them")
POSTER_ALONE = RULES.warning(
    "style-poster-alone", "before iOS 27 a pass with posterGeneric alone cannot be installed", "add storeCard beside it"
)
HEADER_MANY = RULES.warning(
    "header-fields-many", "Wallet shows at most three header fields", "move some to the other groups"
)
PRIMARY_MANY = RULES.warning(
    "primary-fields-many", "a store card or coupon shows one primary field", "move the others to secondaryFields"
)
ROW_MANY = RULES.warning(
    "row-fields-many",
    "secondary and auxiliary fields share one row of four, and Wallet drops the rest",
    "keep four together, and move the others to backFields",
)
HEADER_CROWDED = RULES.note(
    "header-crowded", "header fields and a long logoText share the top row and push each other out", "shorten logoText"
)
LONG_TEXT = RULES.warning(
    "front-text-long", "long text on the front is cut or its field dropped", "shorten it, or move it to backFields"
)
KEY_MISSING = RULES.error("field-key-missing", "every field needs a key", "add a key that stays the same in updates")
KEY_TWICE = RULES.error("field-key-twice", "two fields have the same key", "give each field of the pass its own key")
VALUE_MISSING = RULES.error("field-value-missing", "every field needs a value", 'add a value; "" is allowed')
CHANGE_MESSAGE = RULES.warning(
    "change-message-placeholder", "changeMessage must contain %@, where the phone puts the new value", "add %@"
)
MARKUP = RULES.warning(
    "attributed-value-markup", "only <a href> is honoured in attributedValue", "write other < as &lt; and & as &amp;"
)
ATTRIBUTED_FRONT = RULES.note(
    "attributed-value-watch", "a watch shows value and not attributedValue", "make value readable by itself"
)
CURRENCY_CODE = RULES.error("currency-code", "currencyCode is three capital letters of ISO 4217", "write EUR, TRY, IDR")
CURRENCY_VALUE = RULES.error(
    "currency-value", "an amount with currencyCode must be a number in major units", "write 12.5, without quotes"
)
CURRENCY_STYLE = RULES.warning(
    "currency-and-number-style", "currencyCode and numberStyle exclude each other", "remove numberStyle"
)
NUMBER_STYLE = RULES.warning(
    "number-style-value",
    "numberStyle has no effect on a value that is no number",
    "write a number, or remove the style",
)
IMPRECISE = RULES.warning(
    "number-imprecise", "the number shows its rounding error or an exponent", "round it before writing; use decimals"
)
DATE_STYLES = RULES.warning(
    "date-style-single", "dateStyle and timeStyle go together", "give both; PKDateStyleNone hides a part"
)
DATE_VALUE = RULES.warning(
    "date-style-value", "date formatting needs a complete date as value", "write a date with time and zone"
)
DETECTORS = RULES.warning(
    "data-detectors-front", "dataDetectorTypes works in back fields only", "remove it from the front"
)
ALIGNMENT = RULES.warning(
    "text-alignment-group", "textAlignment is not allowed in primary and back fields", "remove it there"
)
ROW = RULES.warning("field-row", "row works in auxiliary fields of event tickets only", "remove it")
ENUM = RULES.error("value-unknown", "Wallet does not know this value", "use one from the documentation of the key")

LOGO_TEXT_CHARACTERS = 20
FRONT_CHARACTERS = 60
_DIGITS_GOOD = 15
_ENUMS = {
    "numberStyle": [style.value for style in model.NumberStyle],
    "dateStyle": [style.value for style in model.DateStyle],
    "timeStyle": [style.value for style in model.DateStyle],
    "textAlignment": [alignment.value for alignment in model.TextAlignment],
}
_DETECTORS = [detector.value for detector in model.DataDetector]
_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{2,31});)")


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the styles, the groups and every field."""
    yield from _styles(subject)
    yield from _groups(subject)
    yield from _field_keys(subject)
    for group, where, field in subject.fields():
        yield from _field(group, where, field)
        if "row" in field and not (group == "auxiliaryFields" and "eventTicket" in subject.styles):
            yield ROW.found(f"{where}.row")


def _styles(subject: Subject) -> Iterator[Finding]:
    classic = [style for style in subject.styles if style in CLASSIC_STYLES]
    if subject.document and not subject.styles:
        yield NO_STYLE.found("pass.json")
    if len(classic) > 1:
        yield STYLES.found("pass.json", " and ".join(classic))
    if subject.styles == ("posterGeneric",):
        yield POSTER_ALONE.found(place("posterGeneric"))


def _groups(subject: Subject) -> Iterator[Finding]:
    for style in {"storeCard", "coupon"}.intersection(subject.styles):
        content = subject.document[style]
        if not isinstance(content, Mapping):
            continue
        sizes = {group: len(fields) for group, fields in content.items() if isinstance(fields, list)}
        if (size := sizes.get("headerFields", 0)) > HEADER_FIELDS_MAX:
            yield HEADER_MANY.found(place(f"{style}.headerFields"), f"{size} fields")
        if (size := sizes.get("primaryFields", 0)) > PRIMARY_FIELDS_MAX:
            yield PRIMARY_MANY.found(place(f"{style}.primaryFields"), f"{size} fields")
        if (size := sizes.get("secondaryFields", 0) + sizes.get("auxiliaryFields", 0)) > SHARED_ROW_FIELDS_MAX:
            yield ROW_MANY.found(place(style), f"{size} fields")
        logo_text = subject.document.get("logoText")
        if sizes.get("headerFields") and isinstance(logo_text, str) and len(logo_text) > LOGO_TEXT_CHARACTERS:
            yield HEADER_CROWDED.found(place("logoText"))


def _field_keys(subject: Subject) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for style, _, where, fields in subject.groups():
        for i, field in enumerate(fields):
            key = field.get("key") if isinstance(field, Mapping) else "of no field"
            if key is None or key == "":
                yield KEY_MISSING.found(f"{where}[{i}]")
            elif isinstance(field, Mapping) and isinstance(key, str):
                # posterGeneric stands beside storeCard and shows the same fields again.
                if (style, key) in seen:
                    yield KEY_TWICE.found(f"{where}[{i}]", shown(key))
                seen.add((style, key))


def _field(group: str, where: str, field: Json) -> Iterator[Finding]:
    if "value" not in field:
        yield VALUE_MISSING.found(where)
    message = field.get("changeMessage")
    if isinstance(message, str) and "%@" not in message:
        yield CHANGE_MESSAGE.found(f"{where}.changeMessage")
    yield from _enums(where, field)
    yield from _numbers(where, field)
    yield from _dates(where, field)
    yield from _texts(group, where, field)
    if group != "backFields" and "dataDetectorTypes" in field:
        yield DETECTORS.found(f"{where}.dataDetectorTypes")
    if group in {"primaryFields", "backFields"} and "textAlignment" in field:
        yield ALIGNMENT.found(f"{where}.textAlignment")


def _texts(group: str, where: str, field: Json) -> Iterator[Finding]:
    value, attributed = field.get("value"), field.get("attributedValue")
    front = group not in {"backFields", "additionalInfoFields"}
    if front and isinstance(value, str) and len(value) > FRONT_CHARACTERS:
        yield LONG_TEXT.found(where, f"{len(value)} characters")
    if front and attributed is not None:
        yield ATTRIBUTED_FRONT.found(f"{where}.attributedValue")
    if isinstance(attributed, str) and ("<" in HONOURED_MARKUP.sub("", attributed) or _AMPERSAND.search(attributed)):
        yield MARKUP.found(f"{where}.attributedValue", shown(attributed))


def _enums(where: str, field: Json) -> Iterator[Finding]:
    for key, known in _ENUMS.items():
        value = field.get(key)
        if isinstance(value, str) and value not in known:
            yield unknown_value(f"{where}.{key}", value, known)
    detectors = field.get("dataDetectorTypes")
    for value in detectors if isinstance(detectors, list) else ():
        if isinstance(value, str) and value not in _DETECTORS:
            yield unknown_value(f"{where}.dataDetectorTypes", value, _DETECTORS)


def unknown_value(where: str, value: str, known: list[str]) -> Finding:
    """Cite the rule on closed lists of values, with the nearest one as hint."""
    near = difflib.get_close_matches(value[:80], known, n=1, cutoff=0.5)
    return ENUM.found(where, shown(value), hint=f"write {near[0]}" if near else f"use one of {', '.join(known)}")


def _numbers(where: str, field: Json) -> Iterator[Finding]:
    value = field.get("value")
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    currency = field.get("currencyCode")
    if isinstance(currency, str):
        if not CURRENCY.fullmatch(currency):
            yield CURRENCY_CODE.found(f"{where}.currencyCode", shown(currency))
        if not number:
            yield CURRENCY_VALUE.found(f"{where}.value", shown(value))
        if "numberStyle" in field:
            yield CURRENCY_STYLE.found(where)
    if "numberStyle" in field and not number:
        yield NUMBER_STYLE.found(f"{where}.value", shown(value))
    if isinstance(value, Decimal):
        shape = value.as_tuple()
        if len(shape.digits) > _DIGITS_GOOD or not isinstance(shape.exponent, int) or shape.exponent > 0:
            yield IMPRECISE.found(f"{where}.value", str(value)[:40])


def _dates(where: str, field: Json) -> Iterator[Finding]:
    keys = {"dateStyle", "timeStyle"}.intersection(field)
    if len(keys) == 1:
        yield DATE_STYLES.found(where, f"only {keys.pop()} is there")
    if not {"dateStyle", "timeStyle", "isRelative", "ignoresTimeZone"}.intersection(field):
        return
    value = field.get("value")
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value):
        yield from dates.problem(f"{where}.value", value)
    elif "value" in field:
        yield DATE_VALUE.found(f"{where}.value", shown(value))
