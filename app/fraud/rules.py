"""How often what may happen, as values. Nothing here asks the database."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, time
from functools import lru_cache
from typing import Any

from app import localtime
from app.errors import Sentence, Unprocessable

MOST = 1_000_000
LATEST = 100  # sales of a card on one day: far more than one customer makes
CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
ROLES = ("cashier", "support", "manager", "operator", "integrator")
USUAL_CORRECTIONS = {"support": 100, "manager": 500, "operator": 5_000, "integrator": 5_000}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused, and what is told to a manager. None: no limit, as it is for refusals unless somebody sets one.

    Refused: sales of one card in an hour and in a day; sales and points of one person at the till, and of one store, in
    an hour. Told: `tell_sales_per_day` of a card, `tell_tills_per_day` that it was used at, and whatever happens
    outside of `open_from` and `open_to`, the store's clock. `soon_min`: a second sale of a card within so many minutes
    is said to the cashier. `corrections`: units that a role may correct by hand alone.
    """

    card_per_hour: int | None = None
    card_per_day: int | None = None
    person_per_hour: int | None = None
    person_points_per_hour: int | None = None
    store_per_hour: int | None = None
    tell_sales_per_day: int | None = 5
    tell_tills_per_day: int | None = 3
    soon_min: int = 10
    open_from: time | None = None
    open_to: time | None = None
    corrections: Mapping[str, int] = field(default_factory=lambda: dict(USUAL_CORRECTIONS))

    @property
    def counts_hours(self) -> bool:
        """Whether what people and stores do is counted by the hour."""
        return any(limit is not None for limit in (self.person_per_hour, self.person_points_per_hour,
                                                   self.store_per_hour))  # fmt: skip

    @property
    def sales_looked_at(self) -> int:
        """How many sales of a card on one day are enough to judge the next."""
        counted = (self.card_per_hour, self.card_per_day, self.tell_sales_per_day, self.tell_tills_per_day)
        return max(LATEST, *(limit + 1 for limit in counted if limit is not None))

    def is_open(self, at: datetime, zone: str) -> bool:
        """Whether the store is open at *at*; hours may run over midnight."""
        if self.open_from is None or self.open_to is None or self.open_from == self.open_to:
            return True
        clock = localtime.wall_clock(at, zone).time()
        if self.open_from < self.open_to:
            return self.open_from <= clock < self.open_to
        return clock >= self.open_from or clock < self.open_to

    def may_correct(self, role: str, units: int) -> bool:
        """Whether somebody of this role may correct so many units without a second person."""
        return role == "owner" or abs(units) <= self.corrections.get(role, 0)


def plain(limits: Limits) -> dict[str, Any]:
    """The limits as they are kept, and as `parse` reads them."""
    found = {one.name: getattr(limits, one.name) for one in fields(limits)}
    for name in ("open_from", "open_to"):
        found[name] = f"{found[name]:%H:%M}" if found[name] is not None else None
    found["corrections"] = {role: units for role, units in sorted(limits.corrections.items()) if role != "cashier"}
    return found


@lru_cache(maxsize=256)
def _read(text: tuple[tuple[str, Any], ...]) -> Limits:
    return parse({name: dict(value) if isinstance(value, tuple) else value for name, value in text})


def read(raw: Mapping[str, Any]) -> Limits:
    """The limits of a programme, as they are kept; the same ones are read once."""
    return _read(tuple(sorted((name, tuple(sorted(value.items())) if isinstance(value, dict) else value)
                              for name, value in raw.items())))  # fmt: skip


def parse(raw: Mapping[str, Any]) -> Limits:
    """Limits from JSON, each name optional.

    Raises: Unprocessable `invalid_limits` with a sentence for each fault.
    """
    known = {one.name for one in fields(Limits)}
    errors = {name: "There is no such limit." for name in raw if name not in known}
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name in errors:
            continue
        if name in {"open_from", "open_to"}:
            values[name] = _time(name, value, errors)
        elif name == "corrections":
            values[name] = _corrections(value, errors)
        else:
            values[name] = _whole(name, value, errors)
    if (values.get("open_from") is None) != (values.get("open_to") is None):
        errors["open_to"] = "Say both when the stores open and when they close."
    if errors:
        raise Unprocessable("invalid_limits", " ".join(errors.values()), errors=errors)
    return Limits(**values)


def _whole(name: str, value: object, errors: dict[str, str]) -> int | None:
    least = 0 if name == "soon_min" else 1
    if value is None and name != "soon_min":
        return None
    if type(value) is not int or not least <= value <= MOST:
        errors[name] = Sentence("A limit is a whole number from %(least)s to %(most)s.", least=least, most=MOST)
        return None
    return value


def _time(name: str, value: object, errors: dict[str, str]) -> time | None:
    if value is None:
        return None
    found = CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        errors[name] = "Write the time as hours and minutes, such as 17:00."
        return None
    return time(int(found[1]), int(found[2]))


def _corrections(value: object, errors: dict[str, str]) -> dict[str, int]:
    found = value if isinstance(value, Mapping) else {}
    if not isinstance(value, Mapping) or any(
        role not in ROLES or type(units) is not int or not 0 <= units <= MOST for role, units in found.items()
    ):
        errors["corrections"] = Sentence(
            "Corrections are units by role, one of %(roles)s, from 0 to %(most)s.", roles=", ".join(ROLES), most=MOST
        )
        return dict(USUAL_CORRECTIONS)
    return {**USUAL_CORRECTIONS, **found}
