"""When a campaign is sent, once or again and again: the fields of its form, and what they mean."""

from collections.abc import Mapping
from typing import Any

from app.campaigns import timing
from app.campaigns.models import Campaign
from app.marketing.campaigns.typed import whole

DAYS_OF_WEEK = range(1, 8)
DATED = ("month", "year")
# beside which field a refusal of the rule is shown
PLACES = {"interval": "interval", "day": "month_day", "until": "last_on", "count": "times"}


def read(values: Mapping[str, str], errors: dict[str, str]) -> tuple[dict[str, Any], str]:
    """The recurrence, and the local time that is meant (of a recurrence the first)."""
    kind = values.get("kind", "once")
    if kind == "triggered":
        return {}, ""
    if kind == "recurring":
        return _rule(values, errors), f"{values.get('first_on', '').strip()}T{values.get('at', '').strip()}"
    typed = values.get("send_local", "").strip()
    return {}, typed or (timing.NOW if values.get("at_once") else "")


def values_of(one: Campaign) -> dict[str, str]:
    """A kept campaign's time and recurrence as its form shows them."""
    is_now = one.send_local == timing.NOW
    local = "" if is_now else one.send_local
    rule = one.recurrence
    every = str(rule.get("every", "week"))
    return {
        "send_local": local,
        "at_once": "yes" if is_now else "",
        "first_on": local[:10],
        "at": local[11:],
        "every": every,
        "every_before": every,
        "interval": str(rule.get("interval") or 1),
        "month_day": str(rule.get("day") or ""),
        "last_on": str(rule.get("until") or ""),
        "times": str(rule.get("count") or ""),
        **{f"weekday.{day}": "yes" for day in rule.get("weekdays") or []},
    }


def place(name: str) -> str:
    """The field beside which a refusal of `recurrence.…` is shown."""
    return PLACES.get(name.removeprefix("recurrence."), "every")


def _rule(values: Mapping[str, str], errors: dict[str, str]) -> dict[str, Any]:
    """The recurrence as JSON. What its period has no use for is left out, unless it was kept with that period."""
    every = values.get("every", "")
    is_as_before = every == values.get("every_before", "")
    rule: dict[str, Any] = {"every": every, "interval": whole("interval", values, errors, otherwise=1)}
    days = [day for day in DAYS_OF_WEEK if values.get(f"weekday.{day}")]
    if days and (every == "week" or is_as_before):
        rule["weekdays"] = days
    if values.get("month_day", "").strip() and (every in DATED or is_as_before):
        rule["day"] = whole("month_day", values, errors, otherwise=1)
    if last := values.get("last_on", "").strip():
        rule["until"] = last
    if values.get("times", "").strip():
        rule["count"] = whole("times", values, errors, otherwise=1)
    return rule
