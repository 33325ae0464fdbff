"""What an offer gives, as values: read from JSON once, and reckoned on a basket without any database.

`kind` says which terms there are: percent {percent}, amount {amount}, product {percent, pieces}, multiplier {factor},
bonus {points}, gift {gift, cost}, text {cost}. All may ask for a `minimum` spend and hold for some `products` or
`categories` only; what takes money off may say the most that it takes, `at_most`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from app.earning.reading import FACTOR_MAX, POINTS_MAX, Reader
from app.earning.rules import Bonus, Multiplier, Products, Rule
from app.earning.sale import NEVER_EARN, Basket, Line
from app.earning.sums import half_up, shared
from app.errors import Sentence

PIECES_MAX = 1000
LONGEST_GIFT = 60
TAKES_OFF = ("percent", "amount", "product")
GIVES_POINTS = ("multiplier", "bonus")
WITH_A_SALE = (*TAKES_OFF, *GIVES_POINTS)
_OWN = {
    "text": ("cost",),
    "percent": ("percent", "at_most"),
    "amount": ("amount", "at_most"),
    "product": ("percent", "pieces", "at_most"),
    "multiplier": ("factor",),
    "bonus": ("points",),
    "gift": ("gift", "cost"),
}
_SHARED = ("minimum", "products", "categories")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one use gives. `percent` is a share of the price; `pieces`: of so many pieces, the cheapest ones.

    `cost_minor`: what one use costs the shop where nothing is taken off, such as a gift.
    """

    kind: str
    percent: Fraction = Fraction(0)
    amount_minor: int = 0
    pieces: int = 1
    factor: Fraction = Fraction(1)
    points: int = 0
    gift: str = ""
    cost_minor: int = 0
    minimum_minor: int = 0
    at_most_minor: int | None = None
    only: Products = field(default_factory=Products)

    @property
    def needs_sale(self) -> bool:
        """Whether it can be given with a sale only: it adds points to it, or asks what exactly is bought."""
        return self.kind in ("product", *GIVES_POINTS) or not self.only.is_all

    @property
    def needs_amount(self) -> bool:
        """Whether it cannot be judged, or what it costs cannot be told, without the amount of the purchase."""
        return bool(self.minimum_minor) or self.most_minor is None

    @property
    def most_minor(self) -> int | None:
        """The most that one use can cost in money; None if only the basket says."""
        if self.kind == "amount":
            return self.amount_minor if self.at_most_minor is None else min(self.amount_minor, self.at_most_minor)
        return self.at_most_minor if self.kind in TAKES_OFF else self.cost_minor

    @property
    def most_points(self) -> int | None:
        """The most points that one use can give; None if only the basket says."""
        return None if self.kind == "multiplier" else self.points


def read(kind: str, raw: object, currency: str, errors: dict[str, str]) -> Terms:
    """The terms of an offer of a kind; faults are collected under `terms.…`, the names that the sender used."""
    reader = Reader(raw if isinstance(raw, Mapping) else {}, "terms.", currency, errors)
    if not isinstance(raw, Mapping):
        errors["terms"] = 'Terms are an object, such as {"percent": "20"}.'
        return Terms(kind=kind)
    own = _OWN.get(kind, ())
    reader.only_knows(*own, *_SHARED)
    only = Products(products=reader.texts("products"), categories=reader.texts("categories"))
    if kind == "product" and only.is_all:
        reader.fault("products", "Say which products or categories the offer is for.")
    values: dict[str, Any] = {
        "percent": lambda: reader.fraction("percent", 100, "100" if kind == "product" else None) / 100,
        "amount": lambda: reader.amount("amount", above_zero=True),
        "pieces": lambda: reader.whole("pieces", 1, PIECES_MAX, 1),
        "factor": lambda: _factor(reader),
        "points": lambda: reader.whole("points", 1, POINTS_MAX),
        "gift": lambda: _gift(reader),
        "cost": lambda: reader.amount("cost", "0"),
        "at_most": lambda: None if raw.get("at_most") is None else reader.amount("at_most", above_zero=True),
    }
    places = {"amount": "amount_minor", "cost": "cost_minor", "at_most": "at_most_minor"}
    found = {places.get(name, name): values[name]() for name in own}
    return Terms(kind=kind, only=only, minimum_minor=reader.amount("minimum", "0"), **found)


def of(kind: str, raw: Mapping[str, Any], currency: str) -> Terms:
    """The terms of a kept offer, which were found right when it was saved."""
    return read(kind, raw, currency, {})


def sold_minor(basket: Basket) -> int:
    """What of a basket counts for a minimum spend: no gift cards, deposits or tips."""
    return sum(line.paid_minor for line in _lines(basket) if line.kind not in NEVER_EARN)


def has_products(terms: Terms, basket: Basket) -> bool:
    """Whether anything in the basket is what the offer is for."""
    return any(_counts(terms, line) for line in _lines(basket))


def taken_off(terms: Terms, basket: Basket) -> list[int]:
    """What an offer takes off each line (of a basket without lines: off its amount), in minor units."""
    lines = _lines(basket)
    exact = _exact(terms, lines)
    whole = half_up(sum(exact, Fraction(0)))
    if terms.at_most_minor is not None:
        whole = min(whole, terms.at_most_minor)
    return shared(whole, exact) if whole else [0] * len(lines)


def rules_of(terms: Terms, name: str) -> tuple[Rule, ...]:
    """What an offer adds to the rules of earning for one sale."""
    if terms.kind == "multiplier":
        return (Multiplier(name=name, only=terms.only, factor=terms.factor),)
    if terms.kind == "bonus":
        return (Bonus(name=name, only=terms.only, points=terms.points),)
    return ()


def _exact(terms: Terms, lines: Sequence[Line]) -> list[Fraction]:
    eligible = [line.paid_minor if _counts(terms, line) else 0 for line in lines]
    whole = sum(eligible)
    if terms.kind == "percent":
        return [paid * terms.percent for paid in eligible]
    if terms.kind == "amount" and whole:
        return [Fraction(min(terms.amount_minor, whole) * paid, whole) for paid in eligible]
    if terms.kind == "product":
        return _cheapest(terms, lines)
    return [Fraction(0) for _ in lines]


def _cheapest(terms: Terms, lines: Sequence[Line]) -> list[Fraction]:
    """The cheapest pieces of what the offer is for, at their share of the line's price."""
    off, left = [Fraction(0) for _ in lines], terms.pieces
    prices = [(Fraction(line.paid_minor, line.quantity), at) for at, line in enumerate(lines) if _counts(terms, line)]
    for price, at in sorted(prices):
        pieces = min(left, lines[at].quantity)
        off[at] = price * pieces * terms.percent
        left -= pieces
    return off


def _counts(terms: Terms, line: Line) -> bool:
    return line.kind not in NEVER_EARN and line.paid_minor > 0 and terms.only.has(line.product, line.category)


def _lines(basket: Basket) -> Sequence[Line]:
    return basket.lines or (Line(number=1, amount_minor=basket.amount_minor),)


def _factor(reader: Reader) -> Fraction:
    factor = reader.fraction("factor", FACTOR_MAX)
    if factor <= 1 and f"{reader.where}factor" not in reader.errors:
        reader.fault("factor", "A multiplier is more than 1, such as 2.")
    return factor


def _gift(reader: Reader) -> str:
    gift = reader.raw.get("gift")
    if not isinstance(gift, str) or not 0 < len(gift.strip()) <= LONGEST_GIFT or not gift.isprintable():
        text = Sentence("Say what is given, in 1 to %(most)s characters.", most=LONGEST_GIFT)
        reader.fault("gift", text)
        return ""
    return gift.strip()
