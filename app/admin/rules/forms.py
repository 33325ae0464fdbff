"""Rules as they stand in forms: field names are the paths of the rule set's JSON, so that faults find their field."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app import localtime
from app.errors import Unprocessable

KINDS = (
    "amount", "unit", "visit", "event", "multiplier", "bonus", "exclusion", "cap", "discount", "bonus_money",
)  # fmt: skip
WINDOW_ROWS, BAND_ROWS = 3, 6
WITH_PRODUCTS = ("amount", "unit", "multiplier", "bonus", "exclusion", "discount")
WHOLE = {"points", "expires_days", "days", "months", "pending_days"}
OWN = {
    "amount": ("points", "per"),
    "unit": ("points", "per"),
    "visit": ("points",),
    "event": ("event", "points"),
    "multiplier": ("factor",),
    "bonus": ("points", "minimum"),
    "exclusion": (),
    "cap": ("points", "per"),
    "discount": (),
    "bonus_money": ("percent", "max_share", "expires_days"),
}
DRAFT_MAX = 200_000


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Rules that nobody has published yet, and the number of the version that its author saw last."""

    rules: dict[str, Any]
    based_on: int

    @property
    def text(self) -> str:
        """As it travels from page to page."""
        return json.dumps(self.rules, ensure_ascii=False, separators=(",", ":"))

    def with_rule(self, at: int | None, rule: dict[str, Any]) -> "Draft":
        """The same with a rule in a place, or at the end."""
        rules = list(self.rules.get("rules", []))
        rules[len(rules) if at is None else at : len(rules) if at is None else at + 1] = [rule]
        return Draft(rules={**self.rules, "rules": rules}, based_on=self.based_on)

    def without_rule(self, at: int) -> "Draft":
        rules = [one for number, one in enumerate(self.rules.get("rules", [])) if number != at]
        return Draft(rules={**self.rules, "rules": rules}, based_on=self.based_on)


def draft_of(form: Mapping[str, str]) -> Draft:
    """The draft that a page sent along.

    Raises: Unprocessable `invalid_rules`.
    """
    text, based_on = form.get("draft", ""), form.get("based_on", "")
    try:
        rules = json.loads(text) if len(text) <= DRAFT_MAX else None
    except (ValueError, RecursionError):
        rules = None
    if not isinstance(rules, dict) or not isinstance(rules.get("rules", []), list) or not based_on.isdecimal():
        raise Unprocessable("invalid_rules", "This draft is damaged. Open the rules again and begin anew.")
    return Draft(rules=rules, based_on=int(based_on[:9]))


def place(text: str, draft: Draft) -> int | None:
    """The place of a rule in a draft; None for what is none."""
    at = int(text) if text.isdecimal() and len(text) < 4 else -1
    return at if 0 <= at < len(draft.rules.get("rules", [])) else None


def typed(rule: Mapping[str, Any]) -> dict[str, str]:
    """A rule as its form shows it."""
    found = {name: str(rule[name]) for name in ("name", "kind", *OWN.get(str(rule.get("kind")), ())) if name in rule}
    if rule.get("no_end"):
        found["no_end"] = "yes"
    for name, values in (rule.get("only") or {}).items():
        found[f"only.{name}"] = ", ".join(values)
    when = rule.get("when") or {}
    found["when.segments"] = ", ".join(when.get("segments", []))
    for name in ("stores", "tiers", "occasions"):
        found |= {f"when.{name}.{one}": "yes" for one in when.get(name, [])}
    for number, window in enumerate(when.get("windows", [])):
        where = f"when.windows.{number}"
        found |= {f"{where}.{name}": str(value) for name, value in window.items() if name != "weekdays"}
        found |= {f"{where}.weekdays.{day}": "yes" for day in window.get("weekdays", [])}
    for number, band in enumerate(rule.get("bands") or []):
        found |= {f"bands.{number}.{name}": str(value) for name, value in band.items()}
    return found


def rule_of(form: Mapping[str, str], kind: str, *, stores: Iterable[str], tiers: Iterable[str],
            occasions: Iterable[str]) -> dict[str, Any]:  # fmt: skip
    """A rule as typed; what is wrong with it is found where it is read."""
    rule: dict[str, Any] = {"kind": kind, "name": _line(form, "name")}
    for name in OWN[kind]:
        if text := _line(form, name):
            rule[name] = _value(name, kind, text)
    if kind == "discount":
        rule["bands"] = [
            {
                "from": _dots(_line(form, f"bands.{row}.from")) or "0",
                "percent": _dots(_line(form, f"bands.{row}.percent")),
            }
            for row in range(BAND_ROWS)
            if _line(form, f"bands.{row}.from") or _line(form, f"bands.{row}.percent")
        ]
    if kind in WITH_PRODUCTS and (only := _lists(form, "only", ("categories", "products"))):
        rule["only"] = only
    chosen = (("stores", stores), ("tiers", tiers), ("occasions", occasions))
    when: dict[str, Any] = {
        name: picked for name, known in chosen if (picked := [one for one in known if form.get(f"when.{name}.{one}")])
    }
    when |= _lists(form, "when", ("segments",))
    if windows := [window for row in range(WINDOW_ROWS) if (window := _window(form, f"when.windows.{row}"))]:
        when["windows"] = windows
    if when:
        rule["when"] = when
    if kind in {"multiplier", "bonus"} and form.get("no_end"):
        rule["no_end"] = True
    return rule


def double_day(day: str, name: str) -> dict[str, str]:
    """The form of a rule that doubles points on one day; nothing for what is no day."""
    try:
        on = date.fromisoformat(day).isoformat()
    except ValueError:
        return {}
    where = "when.windows.0"
    return {"kind": "multiplier", "name": name, "factor": "2", f"{where}.first_on": on, f"{where}.last_on": on}


def settings_of(form: Mapping[str, str], rules: Mapping[str, Any]) -> dict[str, Any]:
    """A draft with the settings as typed."""
    found: dict[str, Any] = {
        "rules": rules.get("rules", []),
        "stacking": _line(form, "stacking"),
        "carry": bool(form.get("carry")),
        "minimum": _dots(_line(form, "minimum")) or "0",
        "points_part_earns": bool(form.get("points_part_earns")),
        "pending_days": _value("pending_days", "", _line(form, "pending_days") or "0"),
        "returns": _line(form, "returns"),
    }
    policy = _line(form, "expiry.policy")
    wanted = {"rolling": "days", "inactivity": "days", "calendar": "months", "fixed": "on"}.get(policy)
    found["expiry"] = {"policy": policy}
    if wanted:
        found["expiry"][wanted] = _value(wanted, "", _line(form, f"expiry.{wanted}"))
    return found


def settings_typed(rules: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a draft as their form shows them."""
    expiry = rules.get("expiry") or {}
    ticks = {name: "yes" for name in ("carry", "points_part_earns") if rules.get(name)}
    return {
        "stacking": str(rules.get("stacking", "best")),
        "minimum": str(rules.get("minimum", "0")),
        "pending_days": str(rules.get("pending_days", 0)),
        "returns": str(rules.get("returns", "allow_debt")),
        "expiry.policy": str(expiry.get("policy", "never")),
        **{f"expiry.{name}": str(expiry[name]) for name in ("days", "months", "on") if name in expiry},
        **ticks,
    }


def start_of(form: Mapping[str, str], zone: str) -> datetime | None:
    """When rules shall begin, by the programme's clock; None: now.

    Raises: Unprocessable `invalid_rules`.
    """
    text = _line(form, "starts_at")
    if form.get("begins") != "later":
        return None
    try:
        local = datetime.fromisoformat(text)
        if local.tzinfo is None:
            return localtime.instant(local, zone)
    except (ValueError, OverflowError):
        pass
    advice = "Choose the day and time from which they hold."
    raise Unprocessable("invalid_rules", advice, errors={"starts_at": advice})


def _window(form: Mapping[str, str], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {name: text for name in ("from", "to", "first_on", "last_on")
                             if (text := _line(form, f"{where}.{name}"))}  # fmt: skip
    if days := [day for day in range(1, 8) if form.get(f"{where}.weekdays.{day}")]:
        found["weekdays"] = days
    return found


def _lists(form: Mapping[str, str], where: str, names: Iterable[str]) -> dict[str, list[str]]:
    split = {
        name: [one.strip() for one in _line(form, f"{where}.{name}").replace("\n", ",").split(",")] for name in names
    }
    return {name: kept for name, found in split.items() if (kept := [one for one in found if one])}


def _value(name: str, kind: str, text: str) -> Any:
    """A whole number where JSON wants one; all else as typed, which the reader judges."""
    plain = text.replace("\u00a0", "").replace(" ", "")
    is_whole = name in WHOLE or (name == "per" and kind == "unit")
    if is_whole:
        return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= 12 else text
    return text if name in {"event", "on"} or (name == "per" and kind == "cap") else _dots(text)


def _dots(text: str) -> str:
    return text.replace(",", ".") if "." not in text else text


def _line(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()
