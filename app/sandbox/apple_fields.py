"""The rules of a pass's fields, and how to find them."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from app.sandbox.apple_findings import Findings

GROUPS = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields", "backFields")
STYLES = ("boardingPass", "coupon", "eventTicket", "generic", "storeCard")
DATE_STYLES = tuple(f"PKDateStyle{name}" for name in ("None", "Short", "Medium", "Long", "Full"))
NUMBER_STYLES = tuple(f"PKNumberStyle{name}" for name in ("Decimal", "Percent", "Scientific", "SpellOut"))
ALIGNMENTS = tuple(f"PKTextAlignment{name}" for name in ("Left", "Center", "Right", "Natural"))
DETECTORS = tuple(f"PKDataDetectorType{name}" for name in ("PhoneNumber", "Link", "Address", "CalendarEvent"))
FIELD_KEYS = frozenset(
    {"key", "value", "label", "attributedValue", "changeMessage", "currencyCode", "numberStyle", "dateStyle"}
    | {"timeStyle", "isRelative", "ignoresTimeZone", "dataDetectorTypes", "textAlignment", "semantics", "row"}
)
FIELD_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def _style_of(content: dict[str, Any]) -> dict[str, Any]:
    return next((content[name] for name in STYLES if isinstance(content.get(name), dict)), {})


def groups_of(content: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The fields of the pass by group; what is not a field is left out."""
    style = _style_of(content)
    groups = {}
    for group in GROUPS:
        fields = style.get(group)
        groups[group] = [field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []
    return groups


def fields_of(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of the whole pass by key."""
    return {field["key"]: field for fields in groups_of(content).values() for field in fields if "key" in field}


def check_fields(content: dict[str, Any], findings: Findings) -> None:
    """Check each field, and that no key is used twice in the pass."""
    for group, field in _all_fields(content, findings):
        key = field.get("key")
        if not isinstance(key, str) or not key:
            findings.refuse("field.key", f"A field of {group} has no key.")
            continue
        _check_value(key, field, findings)
        _check_format(key, field, findings)
        _check_place(key, group, field, findings)
    keys = Counter(str(field.get("key")) for _, field in _all_fields(content, Findings()))
    for key in sorted(key for key, count in keys.items() if count > 1):
        findings.refuse("field.duplicate", f"The field key {key} is used {keys[key]} times.")


def _all_fields(content: dict[str, Any], findings: Findings) -> Iterator[tuple[str, dict[str, Any]]]:
    style = _style_of(content)
    for group in GROUPS:
        fields = style.get(group, [])
        if not isinstance(fields, list):
            findings.refuse("field.group", f"{group} must be an array.")
            continue
        for field in fields:
            if isinstance(field, dict):
                yield group, field
            else:
                findings.refuse("field.object", f"{group} holds {field!r}, which is no field.")


def _check_value(key: str, field: dict[str, Any], findings: Findings) -> None:
    value = field.get("value")
    if value is None or isinstance(value, bool | list | dict):
        findings.refuse("field.value", f"The field {key} has no value that can be shown: {value!r}.")
    for name in sorted(name for name, content in field.items() if content is None and name != "value"):
        findings.refuse("field.null", f"{name} of the field {key} is null; leave it out instead.")
    for name in ("label", "changeMessage"):
        if name in field and not isinstance(field[name], str):
            findings.refuse("field.text", f"{name} of the field {key} must be a text.")
    message = field.get("changeMessage")
    if isinstance(message, str) and "%@" not in message:
        findings.defect("field.changeMessage", f"changeMessage of the field {key} lacks %@ and cannot show the value.")
    for name in sorted(set(field) - FIELD_KEYS):
        findings.defect("field.unknown", f"{name} of the field {key} is not known to Wallet and is ignored.")


def _check_format(key: str, field: dict[str, Any], findings: Findings) -> None:
    value = field.get("value")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if "currencyCode" in field and not (number and re.fullmatch(r"[A-Z]{3}", str(field["currencyCode"]))):
        findings.refuse("field.currency", f"The field {key} has a currency, so its value must be a number.")
    if "numberStyle" in field:
        if field["numberStyle"] not in NUMBER_STYLES or not number:
            findings.defect("field.numberStyle", f"The number style of the field {key} does not fit; it is dropped.")
        if "currencyCode" in field:
            findings.defect("field.numberStyle", f"The field {key} has a currency and a number style; choose one.")
    dated = [name for name in ("dateStyle", "timeStyle") if name in field]
    for name in dated:
        if field[name] not in DATE_STYLES:
            findings.refuse("field.dateStyle", f"{name} {field[name]!r} of the field {key} is not one of Wallet's.")
    if len(dated) == 1:
        findings.defect("field.dateStyle", f"The field {key} has {dated[0]} alone; give both or neither.")
    if (dated or "isRelative" in field) and not _is_date(value):
        findings.refuse("field.date", f"The field {key} is a date, but {value!r} is no complete date with a zone.")


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not FIELD_DATE.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _check_place(key: str, group: str, field: dict[str, Any], findings: Findings) -> None:
    alignment = field.get("textAlignment")
    if alignment is not None and alignment not in ALIGNMENTS:
        findings.refuse("field.alignment", f"textAlignment {alignment!r} of the field {key} is not one of Wallet's.")
    elif alignment is not None and group in ("primaryFields", "backFields"):
        findings.defect("field.alignment", f"The field {key} cannot be aligned in {group}.")
    detectors = field.get("dataDetectorTypes", [])
    if not isinstance(detectors, list) or not set(map(str, detectors)) <= set(DETECTORS):
        findings.refuse("field.detectors", f"dataDetectorTypes of the field {key} must be an array of Wallet's names.")
