"""Dates: complete, with a zone, and not past where that matters."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.subject import Subject, objects, place, shown

INTERVAL_MAX = timedelta(hours=24)
RULES = Rulebook()
INVALID = RULES.error(
    "date-invalid",
    "Wallet does not read this date, and refuses the pass or shows raw text",
    "write it as 2027-01-31T23:59:00+01:00 or with Z",
)
NO_ZONE = RULES.error(
    "date-without-zone", "a date without a zone is refused", "add Z or an offset such as +01:00; use an aware datetime"
)
EXPIRED = RULES.warning(
    "expired", "expirationDate is past, so the pass goes to the expired ones and looks as if it was not added",
    "set a later date, or remove it",
)  # fmt: skip
RELEVANT_DATE = RULES.warning(
    "relevant-date-unsupported",
    "a store card or coupon does not show itself at a time",
    "remove relevantDate and relevantDates; change the pass and push at the time instead",
)
RELEVANT_DATE_FORM = RULES.warning(
    "relevant-date-incomplete",
    "an entry needs date, or startDate together with endDate",
    "give date alone, or both startDate and endDate",
)
RELEVANT_DATE_SPAN = RULES.warning(
    "relevant-date-span",
    "an interval that ends before it starts does nothing, one of more than 24 hours is reported not to work",
    "give an interval of at most 24 hours",
)
_FORM = re.compile(
    r"(?P<clock>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(?P<zone>Z|[+-]\d{2}:\d{2})?", re.ASCII
)


def parse(text: str) -> datetime | None:
    """Read a date as Wallet does; None if it does not."""
    match = _FORM.fullmatch(text)
    if match is None or match["zone"] is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def problem(where: str, value: object) -> Iterator[Finding]:
    """Say what is wrong with a date; nothing for one that is right, or no text at all."""
    if not isinstance(value, str) or parse(value) is not None:
        return
    match = _FORM.fullmatch(value)
    if match is not None and match["zone"] is None and parse(f"{value}Z") is not None:
        yield NO_ZONE.found(where, shown(value))
    else:
        yield INVALID.found(where, shown(value))


def check(subject: Subject) -> Iterator[Finding]:
    """Look at expirationDate, relevantDate and relevantDates."""
    document = subject.document
    for key in ("expirationDate", "relevantDate"):
        yield from problem(place(key), document.get(key))
    expires = document.get("expirationDate")
    moment = parse(expires) if isinstance(expires, str) else None
    if moment is not None and moment <= subject.at:
        yield EXPIRED.found(place("expirationDate"), shown(expires))
    if {"storeCard", "coupon"}.intersection(subject.styles):
        for key in ("relevantDate", "relevantDates"):
            if document.get(key):
                yield RELEVANT_DATE.found(place(key))
    for where, entry in objects(document, "relevantDates"):
        for key in ("date", "relevantDate", "startDate", "endDate"):
            yield from problem(f"{where}.{key}", entry.get(key))
        if not {"date", "relevantDate"}.intersection(entry) and not {"startDate", "endDate"} <= entry.keys():
            yield RELEVANT_DATE_FORM.found(where)
        yield from _span(where, entry.get("startDate"), entry.get("endDate"))


def _span(where: str, start: object, end: object) -> Iterator[Finding]:
    begins = parse(start) if isinstance(start, str) else None
    ends = parse(end) if isinstance(end, str) else None
    if begins and ends and not timedelta(0) < ends - begins <= INTERVAL_MAX:
        yield RELEVANT_DATE_SPAN.found(where)
