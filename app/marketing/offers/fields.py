"""How the parts of an offer stand in flat fields of a form, and back: terms, weekly hours, budgets."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app import i18n, localtime, money
from app.offers.hours import WINDOWS_MAX
from app.offers.models import MEASURES
from app.offers.service import OfferDraft
from app.segments.models import Segment

WINDOW_ROWS = 3
WINDOW_FIELD = re.compile(r"w([0-9]{1,2})_", flags=re.ASCII)
WEEKDAYS = range(1, 8)
# which fields of the form each kind of offer has
OWN = {
    "text": (),
    "percent": ("percent", "at_most"),
    "amount": ("amount", "at_most"),
    "product": ("percent", "pieces", "at_most"),
    "multiplier": ("factor",),
    "bonus": ("points",),
    "gift": ("gift", "cost"),
}
SHARED = ("minimum", "products", "categories")
LISTS = ("products", "categories")
NUMBERS = ("pieces", "points")


def terms_of(kind: str, values: Mapping[str, str]) -> dict[str, Any]:
    """The terms as JSON; whether they are right, `offers.terms` says."""
    found: dict[str, Any] = {}
    for name in (*OWN.get(kind, ()), *SHARED):
        text = values.get(name, "").strip()
        if not text:
            continue
        if name in LISTS:
            found[name] = [one.strip() for one in text.split(",") if one.strip()]
        elif name in NUMBERS:
            found[name] = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
        elif name == "gift":
            found[name] = text
        else:
            found[name] = decimal(text)
    return found


def decimal(text: str) -> str:
    """A number as people type it, with a decimal point: "12,50" is "12.50"."""
    plain = text.strip().replace("\u00a0", "").replace(" ", "")
    return plain.replace(",", ".") if re.fullmatch(r"[0-9]+,[0-9]{1,3}", plain) else plain


def window_rows(values: Mapping[str, str]) -> range:
    """The rows of weekly hours that the form has: a few, or as many as there are hours."""
    named = [int(found[1]) for name in values if (found := WINDOW_FIELD.match(name))]
    return range(min(WINDOWS_MAX, max(WINDOW_ROWS, max(named, default=0) + 1)))


def filled_windows(values: Mapping[str, str]) -> list[int]:
    """The rows of weekly hours in which something was said."""
    return [row for row in window_rows(values) if any(_said(values, row))]


def windows_of(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Weekly hours as JSON. All days ticked, or none with hours given: every day."""
    found = []
    for row in filled_windows(values):
        days = [day for day in WEEKDAYS if values.get(f"w{row}_d{day}")]
        window: dict[str, Any] = {"weekdays": days} if days else {}
        for name in ("from", "to"):
            if values.get(f"w{row}_{name}", "").strip():
                window[name] = values[f"w{row}_{name}"].strip()[:5]
        found.append(window)
    return found


def place_of(name: str, budgets: Sequence[tuple[str, str]], rows: Sequence[int]) -> str:
    """The field of the form that a refusal of the offer is about."""
    first, _, rest = name.partition(".")
    if first == "terms":
        return rest or "kind"
    if first == "segment":
        return "audience"
    if first == "texts":
        language, _, part = rest.partition(".")
        return f"{part}_{language}" if part else name
    at, _, part = rest.partition(".")
    if first == "budgets" and at.isdigit() and int(at) < len(budgets):
        return "budget_{}_{}".format(*budgets[int(at)])
    if first == "windows" and at.isdigit() and int(at) < len(rows):
        return f"w{rows[int(at)]}_{part if part in ('from', 'to') else 'days'}"
    return first


def values_of(draft: OfferDraft, *, stores: Mapping[int, str], segment: Segment | None) -> dict[str, str]:
    """A kept offer as the form shows it. *stores*: public ids by row id."""
    programme, zone = draft.programme, draft.timezone
    texts = {code: draft.texts.get(code, {}) for code in i18n.LANGUAGES}
    values = {
        "title": draft.title,
        "body": draft.body,
        "starts_at": localtime.wall_clock(draft.starts_at, zone).strftime("%Y-%m-%dT%H:%M"),
        "ends_at": localtime.wall_clock(draft.ends_at, zone).strftime("%Y-%m-%dT%H:%M"),
        "timezone": zone,
        "audience": _audience_of(draft, segment),
        "kind": draft.kind,
        "combines": draft.combines,
        "grace_min": str(draft.grace_min or ""),
        "limit_per_card": str(draft.limit_per_card or ""),
        "limit_total": str(draft.limit_total or ""),
        **{name: "yes" for name in ("announce", "by_store", "needs_code") if getattr(draft, name)},
        **{f"store_{stores[one]}": "yes" for one in draft.stores if one in stores},
    }
    for code in i18n.LANGUAGES:
        if code != programme.language:
            values |= {f"{part}_{code}": texts[code].get(part, "") for part in ("title", "body")}
    for name, value in draft.terms.items():
        if value is None:
            continue
        values[name] = ", ".join(value) if isinstance(value, list) else str(value)
    for row, window in enumerate(draft.windows):
        values |= {f"w{row}_d{day}": "yes" for day in window.get("weekdays") or WEEKDAYS}
        values |= {f"w{row}_{name}": str(window.get(name) or "") for name in ("from", "to")}
    for one in draft.budgets:
        shown = money.decimal_text(one.most, programme.currency) if one.measure == "money" else str(one.most)
        values[f"budget_{one.measure}_{one.period}"] = shown
    return values


def budget_rows() -> list[str]:
    """The measures in the order in which the form asks for them."""
    return sorted(MEASURES, key=("money", "uses", "points").index)


def _audience_of(draft: OfferDraft, segment: Segment | None) -> str:
    if draft.audience == "targeted":
        return "targeted"
    if segment is not None:
        return segment.public_id
    return "+".join(str(one) for one in draft.tier_ids) or "all"


def _said(values: Mapping[str, str], row: int) -> list[bool]:
    names = [f"w{row}_from", f"w{row}_to", *(f"w{row}_d{day}" for day in WEEKDAYS)]
    return [bool(values.get(name, "").strip()) for name in names]
