"""What may be asked: each question with the form of its answer, without saying how it is answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from app import money
from app.cards import consents, texts
from app.i18n import LANGUAGES

MOST_VALUES = 50
LONGEST_VALUE = 200
LONGEST_DAYS = 3650
VALUE, NAME = "value", "name"
_NAME = re.compile(r"[\w.\- ]{1,60}")

NUMBER_OPS = ("at_least", "at_most", "is", "is_not")
DATE_OPS = ("from", "before")
CHOICE_OPS = ("is", "is_not")
FLAG_OPS = ("yes", "no")
OPS: Mapping[str, tuple[str, ...]] = {
    "number": NUMBER_OPS, "money": NUMBER_OPS, "date": DATE_OPS, "choice": CHOICE_OPS, "flag": FLAG_OPS,
}  # fmt: skip

CONSENTS = tuple(question.key for question in consents.QUESTIONS)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A question. `kind`: number, money, date, choice (one value of several), or flag (yes or no).

    `heading`: under which it stands. `values`: what can be chosen; empty, if that is up to the programme (`source` says
    where it comes from, if from anywhere); None, if there is nothing to choose. `days`: the least and the most days
    that it may look back on or ahead, the least being what is meant if nothing is said; 0 is ever.
    """

    name: str
    heading: str
    kind: str
    values: tuple[str, ...] | None = None
    value_may_lack: bool = False
    source: str = ""
    days: tuple[int, int] | None = None
    has_name: bool = False
    bounds: tuple[int, int] = (0, 10**9)

    @property
    def ops(self) -> tuple[str, ...]:
        """How it can be compared; the first is meant if nothing is said."""
        return OPS[self.kind]


EVER = (0, LONGEST_DAYS)
YEAR = (1, 365)
SCORE = (1, 5)
DAYS_AGO = (0, LONGEST_DAYS)
_ALL = (
    Shape(name="visits", heading="buying", kind="number", days=EVER),
    Shape(name="spend", heading="buying", kind="money", days=EVER),
    Shape(name="last_visit", heading="buying", kind="number", bounds=DAYS_AGO),
    Shape(name="first_purchase", heading="buying", kind="number", bounds=DAYS_AGO),
    Shape(name="active", heading="buying", kind="flag"),
    Shape(name="lapsed", heading="buying", kind="flag"),
    Shape(name="recency", heading="buying", kind="number", bounds=SCORE),
    Shape(name="frequency", heading="buying", kind="number", bounds=SCORE),
    Shape(name="monetary", heading="buying", kind="number", bounds=SCORE),
    Shape(name="favourite_product", heading="buying", kind="choice", values=()),
    Shape(name="favourite_category", heading="buying", kind="choice", values=()),
    Shape(name="bought_product", heading="buying", kind="flag", values=(), days=EVER),
    Shape(name="bought_category", heading="buying", kind="flag", values=(), days=EVER),
    Shape(name="event", heading="buying", kind="flag", values=(), days=EVER),
    Shape(name="favourite_store", heading="place", kind="choice", values=(), source="stores"),
    Shape(name="store_used", heading="place", kind="flag", values=(), source="stores", days=EVER),
    Shape(name="home_store", heading="place", kind="choice", values=(), source="stores"),
    Shape(name="region", heading="place", kind="choice", values=(), source="regions"),
    Shape(name="tier", heading="card", kind="choice", values=(), source="tiers"),
    Shape(name="balance", heading="card", kind="number"),
    Shape(name="points_expiring", heading="card", kind="number", days=YEAR),
    Shape(name="stamps", heading="card", kind="number", has_name=True, source="stamp_cards"),
    Shape(name="wallet", heading="card", kind="choice", values=("apple", "google", "any", "none")),
    Shape(name="offer_used", heading="given", kind="flag", values=(), value_may_lack=True, source="offers", days=EVER),
    Shape(
        name="reward_taken", heading="given", kind="flag", values=(), value_may_lack=True, source="rewards", days=EVER
    ),
    Shape(name="campaign", heading="given", kind="flag", values=(), value_may_lack=True, source="campaigns", days=EVER),
    Shape(name="club", heading="given", kind="flag", values=(), source="clubs"),
    Shape(name="language", heading="person", kind="choice", values=LANGUAGES),
    Shape(name="joined", heading="person", kind="date"),
    Shape(name="member_for", heading="person", kind="number", bounds=DAYS_AGO),
    Shape(name="source", heading="person", kind="choice", values=()),
    Shape(name="birthday", heading="person", kind="flag", days=(1, 60)),
    Shape(name="consent", heading="person", kind="flag", values=CONSENTS),
    Shape(name="attribute", heading="person", kind="choice", values=(), has_name=True),
    Shape(name="survey", heading="person", kind="choice", values=(), has_name=True),
)
SHAPES: Mapping[str, Shape] = {one.name: one for one in _ALL}
HEADINGS = ("buying", "place", "card", "given", "person")


def is_text(value: str, form: str) -> bool:
    """Whether a value or the name of an attribute may stand in a rule."""
    clean = value.strip()
    if form == NAME:
        return _NAME.fullmatch(clean) is not None
    return 0 < len(clean) <= LONGEST_VALUE and texts.is_showable(clean)


def is_date(value: Any) -> bool:
    """Whether it is a date such as "2026-12-24", in a year that calendars know."""
    try:
        return isinstance(value, str) and 2000 <= date.fromisoformat(value).year <= 2200 and len(value) == 10
    except ValueError:
        return False


def minor_units(value: Any, currency: str) -> int:
    """An amount from its decimal string.

    Raises: Unprocessable, as `money.minor_units`.
    """
    return money.minor_units(value if isinstance(value, str) else "", currency)
