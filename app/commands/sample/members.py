"""Sample members and their purchases of more than a year, the same at every first start, with dates that fit today."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.cards import people
from app.cards import service as cards
from app.cards.models import Card, Programme, Store
from app.counter import rewarding, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning.sale import Line
from app.rewards.models import Reward

SEED = 20261121
HISTORY = Actor(name="demo", channel="api")
MENU = (
    ("latte", "coffee", 12_500),
    ("filter-coffee", "coffee", 9_000),
    ("carrot-cake", "cake", 11_000),
    ("beans-250", "beans", 32_000),
    ("newspaper", "press", 4_000),
)
SPENDS_ABOVE = 90


class Person(NamedTuple):
    """A sample member. `early`: days ago of purchases long before the others, none of which was ever spent."""

    name: str
    language: str
    visits: int
    early: tuple[int, ...] = ()


AYSE, BUDI, GRACE, MEHMET, SITI, IPEK = (
    "Ayşe Yılmaz", "Budi Santoso", "Grace Miller", "Mehmet Demir", "Siti Rahayu", "İpek Şahin",
)  # fmt: skip
MEMBERS = (
    Person(AYSE, "tr", 14),
    Person(BUDI, "id", 9),
    Person(GRACE, "en", 30),
    Person(MEHMET, "tr", 4),
    Person(SITI, "id", 12, early=(352, 341)),
    Person(IPEK, "tr", 2),
)


@dataclass(frozen=True, kw_only=True)
class Town:
    """Where the sample members buy: the programme, its stores, and what they like to have for their points."""

    programme: Programme
    stores: list[Store]
    treat: Reward
    now: datetime


def enrol(session: Session, town: Town) -> dict[str, Card]:
    """Members with their purchases, by name."""
    dice = random.Random(SEED)  # noqa: S311 - sample figures, not secrets
    found = {}
    for one in MEMBERS:
        joined = town.now - timedelta(days=max((120, *(days + 1 for days in one.early))))
        card = cards.enrol(
            session, town.programme, people.checked(one.name), language=one.language, source="demo", consent=True,
            now=joined,
        )  # fmt: skip
        days = [*one.early, *(dice.randrange(1, 110) for _ in range(one.visits))]
        for number, days_ago in enumerate(sorted(days, reverse=True)):
            spends = dice.random() < 0.5 and not one.early
            _visit(session, town, card, _sale(dice, town, f"D{card.id}-{number}"), days_ago, number, spends=spends)
        found[one.name] = card
    return found


def lines_of(*products: str) -> tuple[Line, ...]:
    """Lines of a receipt; each name is one piece of the menu."""
    menu = {product: (category, price) for product, category, price in MENU}
    return tuple(
        Line(number=number, product=product, category=menu[product][0], amount_minor=menu[product][1])
        for number, product in enumerate(products, start=1)
    )


def sale_of(lines: tuple[Line, ...], receipt: str, store: Store) -> Sale:
    """A purchase of these lines."""
    amount_minor = sum(line.amount_minor for line in lines)
    return Sale(amount_minor=amount_minor, currency="TRY", receipt=receipt, store=store, lines=lines)


def _sale(dice: random.Random, town: Town, receipt: str) -> Sale:
    wanted = dice.choices([product for product, _, _ in MENU], weights=(5, 5, 3, 2, 2), k=dice.randint(1, 3))
    return sale_of(lines_of(*wanted), receipt, dice.choice(town.stores))


def _visit(session: Session, town: Town, card: Card, sale: Sale, days_ago: int, number: int, *, spends: bool) -> None:
    at = _in_the_day(town.now, days_ago, number)
    balance = sales.earn(session, card, sale, by=HISTORY, now=at).balance
    if spends and balance > SPENDS_ABOVE:
        rewarding.redeem_reward(session, card, town.treat, by=HISTORY, now=at + timedelta(minutes=1), store=sale.store)


def _in_the_day(now: datetime, days_ago: int, number: int) -> datetime:
    """So many days ago, while the stores are open; later visits of one day come later."""
    day = (now - timedelta(days=days_ago)).date()
    return datetime.combine(day, time(6), UTC) + number * timedelta(minutes=15)
