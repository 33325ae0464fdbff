"""What is typed into the pages of limits and corrections."""

from collections.abc import Mapping
from typing import Any

from app import money
from app.admin.texts import gettext
from app.cards.models import Programme
from app.counter.adjusting import Wish
from app.errors import AppError, Unprocessable
from app.fraud import rules
from app.ledger import service as ledger
from app.ledger.held import POINTS

NUMBERS = (
    "card_per_hour", "card_per_day", "person_per_hour", "person_points_per_hour", "store_per_hour",
    "tell_sales_per_day", "tell_tills_per_day", "soon_min",
)  # fmt: skip
TIMES = ("open_from", "open_to")
CORRECTING = tuple(role for role in rules.ROLES if role != "cashier")


def typed_limits(limits: rules.Limits) -> dict[str, str]:
    """The limits as their form shows them; empty: none."""
    plain = rules.plain(limits)
    found = {name: "" if plain[name] is None else str(plain[name]) for name in (*NUMBERS, *TIMES)}
    return found | {f"corrections.{role}": str(plain["corrections"].get(role, 0)) for role in CORRECTING}


def limits(form: Mapping[str, str]) -> dict[str, Any]:
    """The limits as `fraud.rules.parse` reads them.

    Raises: Unprocessable `invalid_limits` by field, for what is no number at all.
    """
    errors: dict[str, str] = {}
    found: dict[str, Any] = {name: _number(form, name, errors) for name in NUMBERS}
    if found["soon_min"] is None:
        found["soon_min"] = 0
    found |= {name: form.get(name, "").strip()[:5] or None for name in TIMES}
    found["corrections"] = {role: _number(form, f"corrections.{role}", errors) or 0 for role in CORRECTING}
    try:
        rules.parse(found)
    except AppError as problem:
        errors = {**{_on_the_page(name): text for name, text in problem.errors.items()}, **errors}
    if errors:
        raise Unprocessable("invalid_limits", " ".join(errors.values()), errors=errors)
    return found


def wish(form: Mapping[str, str], programme: Programme) -> Wish:
    """The correction that was typed; money as people write it.

    Raises: Unprocessable by field.
    """
    unit = form.get("unit", POINTS)[:80]
    is_less = form.get("direction") == "less"
    text = form.get("units", "").strip()
    if ledger.is_money(unit):
        units = money.minor_units(text[:20].replace(",", "."), programme.currency, field="units")
    else:
        errors: dict[str, str] = {}
        units = _number({"units": text}, "units", errors) or 0
        if errors:
            raise Unprocessable("invalid_points", errors["units"], errors=errors)
    return Wish(unit=unit, units=-units if is_less else units, reason=form.get("reason", ""))


def _number(form: Mapping[str, str], name: str, errors: dict[str, str]) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        errors[name] = gettext("Write a whole number, or leave it empty.")
        return None
    return int(text)


def _on_the_page(name: str) -> str:
    return "corrections.support" if name == "corrections" else name
