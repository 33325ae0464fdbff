"""Rules between the members of one type, which no list of patterns can say."""

import re
from collections.abc import Callable
from datetime import datetime

from passes.google.findings import Report

Judge = Callable[[dict[str, object], str, Report], None]

_TOTP_INDEX = re.compile(r"\{totp_value_(\d{1,3})\}")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_FIXED_DIGITS = {"EAN_8": 8, "EAN_13": 13, "UPC_A": 12, "ITF_14": 14}


def _time_interval(body: dict[str, object], path: str, report: Report) -> None:
    times: dict[str, datetime] = {}
    for end in ("start", "end"):
        value = body.get(end)
        text = value.get("date") if isinstance(value, dict) else None
        if isinstance(text, str):
            try:
                times[end] = datetime.fromisoformat(text)
            except ValueError:
                report.add(
                    "format", f"{path}.{end}.date", f"{text!r} is no ISO 8601 time", "write 2026-05-31T18:00:00Z"
                )
    if len(times) < 2:
        return
    start, end_at = times["start"], times["end"]
    if (start.tzinfo is None) != (end_at.tzinfo is None):
        report.add("offsets", path, "only one of start and end has an offset", "give both an offset, or neither")
    elif start >= end_at:
        report.add("order", path, "ends before it starts", "let the end be later than the start")


def _barcode(body: dict[str, object], path: str, report: Report) -> None:
    form, value = body.get("type"), body.get("value")
    if body.get("renderEncoding") == "UTF_8" and form != "QR_CODE":
        report.add("encoding", f"{path}.renderEncoding", "UTF_8 is for QR codes only", "leave it out")
    if form == "TEXT_ONLY" and body.get("alternateText") is not None:
        report.add("alternate_text", f"{path}.alternateText", "a TEXT_ONLY code has no text below it", "leave it out")
    digits = _FIXED_DIGITS.get(form) if isinstance(form, str) else None
    if digits is not None and isinstance(value, str) and not _is_article_number(value, digits):
        mend = f"give {digits} digits of which the last is the check digit, or use QR_CODE"
        report.add("barcode_value", f"{path}.value", f"a scanner cannot read {value!r} as {form}", mend)


def _is_article_number(value: str, digits: int) -> bool:
    """GS1: weights 3 and 1 from the right, the check digit brings the sum to a multiple of ten."""
    if len(value) != digits or not (value.isascii() and value.isdigit()):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(value))) % 10 == 0


def _rotating_barcode(body: dict[str, object], path: str, report: Report) -> None:
    _barcode(body, path, report)
    pattern, details = body.get("valuePattern"), body.get("totpDetails")
    if not isinstance(pattern, str) or not isinstance(details, dict):
        return
    keys = details.get("parameters")
    count = len(keys) if isinstance(keys, list) else 0
    known = {f"{{totp_value_{index}}}" for index in range(count)}
    known |= {"{totp_timestamp_seconds}", "{totp_timestamp_millis}"}
    unknown = [name for name in _PLACEHOLDER.findall(pattern) if name not in known]
    if unknown:
        mend = f"use {', '.join(sorted(known))}"
        report.add("placeholder", f"{path}.valuePattern", f"Google fills in no {', '.join(unknown)}", mend)
    if not _TOTP_INDEX.search(pattern):
        report.add("placeholder", f"{path}.valuePattern", "the code never changes", "put {totp_value_0} into it")
    period = details.get("periodMillis")
    if isinstance(period, str) and (period.startswith("-") or not period.strip("0")):
        report.add("range", f"{path}.totpDetails.periodMillis", "is not positive", 'use "30000"')


def _app_target(body: dict[str, object], path: str, report: Report) -> None:
    target = body.get("targetUri")
    if isinstance(target, dict) and not target.get("description"):
        report.add("required", f"{path}.targetUri.description", "is missing", "say in a few words where it leads")


def _app_link(body: dict[str, object], path: str, report: Report) -> None:
    if not any(body.get(name) for name in ("webAppLinkInfo", "androidAppLinkInfo")):
        report.add("choice", path, "leads nowhere", "give a web address or an Android package")


def _resource(body: dict[str, object], path: str, report: Report) -> None:
    own = body.get("id")
    issuer = own.partition(".")[0] if isinstance(own, str) else None
    for name in ("classId", "linkedObjectIds", "linkedOfferIds"):
        value = body.get(name)
        for other in value if isinstance(value, list) else [value]:
            if isinstance(other, str) and issuer is not None and other.partition(".")[0] != issuer:
                report.add("issuer", f"{path}.{name}", f"{other!r} belongs to another issuer", f"use ids of {issuer}")
            if other is not None and other == own:
                report.add("self_link", f"{path}.{name}", "names the resource itself", "name another one")


def _localized(body: dict[str, object], path: str, report: Report) -> None:
    translated = body.get("translatedValues")
    items = translated if isinstance(translated, list) else []
    tags = [str(item.get("language", "")).lower() for item in items if isinstance(item, dict)]
    for tag in sorted({tag for tag in tags if tags.count(tag) > 1}):
        report.add("duplicate", f"{path}.translatedValues", f"{tag!r} is there more than once", "keep one of them")


TYPE_RULES: dict[str, Judge] = {
    "TimeInterval": _time_interval,
    "Barcode": _barcode,
    "RotatingBarcode": _rotating_barcode,
    "AppLinkData": _app_link,
    "AppLinkDataAppLinkInfoAppTarget": _app_target,
    "LocalizedString": _localized,
    "LoyaltyClass": _resource,
    "LoyaltyObject": _resource,
    "OfferClass": _resource,
    "OfferObject": _resource,
}
