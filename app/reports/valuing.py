"""What a programme takes its points to be worth: set by its people, decimal strings, never a floating number."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy.orm import Session

from app import money
from app.cards.models import Programme
from app.errors import Sentence, Unprocessable
from app.reports.models import Valuation

FIELDS = ("point_value", "expected_use", "margin", "member_years")
DECIMAL = re.compile(r"[0-9]{1,6}([.,][0-9]{1,6})?", flags=re.ASCII)
YEARS_MOST = 50


@dataclass(frozen=True, kw_only=True)
class Worth:
    """The settings as fractions; None: not said. `point_minor` is the value of one point in minor units."""

    point_minor: Fraction | None = None
    expected_use: Fraction | None = None
    margin: Fraction | None = None
    member_years: Fraction | None = None


def texts(session: Session, programme_id: int) -> dict[str, str]:
    """The settings as they were written."""
    row = session.get(Valuation, programme_id)
    return {name: getattr(row, name) if row else "" for name in FIELDS}


def worth(session: Session, programme: Programme) -> Worth:
    """The settings, to reckon with."""
    said = {name: Fraction(text) if text else None for name, text in texts(session, programme.id).items()}
    value = said["point_value"]
    return Worth(
        point_minor=None if value is None else value * 10 ** money.exponent(programme.currency),
        expected_use=said["expected_use"], margin=said["margin"], member_years=said["member_years"],
    )  # fmt: skip


def change(
    session: Session, programme: Programme, wanted: Mapping[str, str], *, by: str, now: datetime
) -> dict[str, str]:
    """Keep the settings; an empty text takes one back. They hold for every report from now on.

    Raises: Unprocessable `invalid_valuation`, with a sentence for each field.
    """
    errors: dict[str, str] = {}
    kept = {}
    for name in FIELDS:
        text = wanted.get(name, "").strip()
        problem = _problem(name, text)
        if problem:
            errors[name] = problem
        kept[name] = text.replace(",", ".")
    if errors:
        raise Unprocessable("invalid_valuation", next(iter(errors.values())), errors=errors)
    row = session.get(Valuation, programme.id) or Valuation(programme_id=programme.id)
    for name, text in kept.items():
        setattr(row, name, text)
    row.changed_by, row.changed_at = by, now
    session.add(row)
    session.flush()
    return kept


def _problem(name: str, text: str) -> str:
    if not text:
        return ""
    if not DECIMAL.fullmatch(text):
        return Sentence("Write a number such as 0.10, with at most six decimals.")
    value = Fraction(text.replace(",", "."))
    if name in {"expected_use", "margin"} and value > 1:
        return Sentence("Write a share from 0 to 1: 0.8 is 80 %%.")
    if name == "member_years" and not 0 < value <= YEARS_MOST:
        return Sentence("Write the years, more than 0 and at most %(most)s.", most=YEARS_MOST)
    return ""
