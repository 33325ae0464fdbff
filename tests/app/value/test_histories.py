"""Random lives of a card with money: never below zero; it holds what was loaded, less paid, plus refunded."""

import contextlib
import random

import pytest

from app.counter import swapping
from app.errors import AppError
from app.ledger.models import Entry
from app.world import World
from tests.app.value.counter import BY, Purse

STEPS = 30


class Life:
    """A card, and beside it the sums that a shopkeeper would keep on paper."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance = world, random.Random(seed)
        self.purse = Purse.open(world, slug=f"shop-{seed}")
        self.payments: dict[str, tuple[Entry, int]] = {}
        self.loaded = self.paid = self.refunded = self.settled = 0

    def step(self, number: int) -> None:
        """One thing that may happen; a refusal changes nothing."""
        kind = self.chance.choice(("load", "pay", "pay", "refund", "refund", "settle", "replace"))
        with contextlib.suppress(AppError):
            getattr(self, kind)(number)

    def load(self, number: int) -> None:
        minor = self.chance.randint(1, 600_00)
        self.purse.load(minor, f"R{self.chance.randint(0, number)}")
        self.loaded += minor

    def pay(self, _number: int) -> None:
        entry = self.purse.pay(self.chance.randint(1, 499_00), in_part=self.chance.random() < 0.5).entry
        self.paid -= entry.points
        self.payments[entry.id] = entry, -entry.points

    def refund(self, _number: int) -> None:
        if not self.payments:
            return
        entry, left = self.payments[self.chance.choice(list(self.payments))]
        minor = self.chance.randint(1, left + 5)
        self.purse.refund(entry, minor)
        self.refunded += minor
        self.payments[entry.id] = entry, left - minor

    def settle(self, number: int) -> None:
        if self.chance.random() < 0.7:
            return
        self.settled -= self.purse.settle(("paid_out", "waived")[number % 2]).entry.points

    def replace(self, _number: int) -> None:
        with self.world.database.unit_of_work() as session:
            made = swapping.replace_card(session, self.purse.card.id, by=BY, now=self.world.clock(), reason="lost")
            self.purse.card = made.card

    def check(self) -> None:
        assert all(left >= 0 for _entry, left in self.payments.values())
        assert self.purse.balance() == self.loaded - self.paid + self.refunded - self.settled >= 0
        found = self.purse.liability()
        assert (found.loaded, found.paid, found.refunded) == (self.loaded, self.paid, self.refunded)
        assert found.paid_out + found.waived == self.settled


@pytest.mark.parametrize("seed", range(8))
def test_the_card_always_holds_what_paper_says(world: World, seed: int) -> None:
    life = Life(world, seed)

    for number in range(STEPS):
        life.step(number)
        life.check()


def test_the_same_holds_on_both_databases(any_world: World) -> None:
    life = Life(any_world, 99)

    for number in range(STEPS):
        life.step(number)
    life.check()

    assert life.paid
    assert life.refunded
