"""What a report answers: figures, a picture and a table of exact values, without markup and without rounding."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.reports.periods import Period
from app.reports.touched import Place
from app.reports.valuing import Worth


class Units(NamedTuple):
    """So many of a unit; of money in minor units."""

    amount: int
    of: str

    @property
    def is_money(self) -> bool:
        return self.currency is not None

    @property
    def currency(self) -> str | None:
        """The currency, of money and of money for later; None of everything else."""
        name = self.of.removeprefix("bonus:")
        return name if len(name) == len("TRY") and name.isupper() else None


class Reasons(NamedTuple):
    """Why campaigns did not reach somebody: the codes, and how many people each is about."""

    found: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return ", ".join(f"{code} {people}" for code, people in self.found)


Value = Units | Reasons | Fraction | int | date | str | None
"""None: undefined, because there is nothing to divide by or nothing to go by."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What somebody wants to know: of which programme, days and store (None: all), in which language.

    `names_people`: whether they may read the names of those who work there.
    """

    session: Session
    place: Place
    period: Period
    currency: str
    language: str
    worth: Worth
    store_id: int | None = None
    names_people: bool = False


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One metric, and what it was in as many days before."""

    metric: str
    value: Value
    before: Value = None


@dataclass(frozen=True, kw_only=True)
class Column:
    """`kind`: day, month, text, unit, number, share, decimal. `metric`: the one it shows, if it has a definition."""

    key: str
    label: str
    kind: str = "number"


@dataclass(frozen=True, kw_only=True)
class Series:
    """The values of a picture, one for each of its places."""

    name: str
    values: Sequence[Value]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """`kind`: columns, curves, or rows (lying bars, one series). `across`: days, or names, which are codes of what
    `places` says (reason) and have words of their own on a page.
    """

    kind: str
    across: Sequence[date | str]
    series: Sequence[Series]
    axis: str = ""
    places: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see: a count of nothing is nothing, a share of zero is something."""
        values = [value for one in self.series for value in one.values if value is not None]
        return not any(value.amount if isinstance(value, Units) else value or isinstance(value, Fraction)
                       for value in values)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A report's figures, picture and table. `row_kinds`: of a table whose rows are figures, the kind of each."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    figures: Sequence[Figure] = ()
    picture: Picture | None = None
    notes: Sequence[str] = ()
    row_kinds: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """An outcome with what must stand beside it: the days, the zone, when it was built, whether today is in it."""

    name: str
    title: str
    ask: Ask
    outcome: Outcome
    built_at: datetime | None
    incomplete_on: date | None
    definitions: Sequence[str] = field(default=())
