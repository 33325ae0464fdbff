"""Random histories that are kept: several cards, several stores and tills, sales that arrive late."""

import random
from dataclasses import replace
from datetime import timedelta
from itertools import count

from app.cards.models import Programme
from app.ledger.booking import Circumstance
from app.ledger.held import Held
from app.world import World
from tests import factories
from tests.app.ledger.histories import History


class Life(History):
    """A history whose entries are made at stores, by several people, some of them days after they happened."""

    stores: tuple[int | None, ...] = (None,)

    def _by(self, card: Held) -> Circumstance:
        late = self.dice.choice((timedelta(0),) * 4 + (timedelta(hours=30), timedelta(hours=5)))
        return replace(
            super()._by(card), store_id=self.dice.choice(self.stores), actor=self.dice.choice(("staff:a", "key:b")),
            occurred_at=self.now - late,
        )  # fmt: skip


def live(world: World, *, steps: int, seed: int) -> tuple[Life, Programme]:
    """Live one history and keep it; the world's clock is where it ended."""
    numbers = count(seed * 1000)
    with world.database.unit_of_work() as session:
        life = Life(session, random.Random(seed), lambda: next(numbers))
        programme = life.cards[0].programme
        life.stores = (None, *(factories.store(session, programme, name).id for name in ("Kadıköy", "Moda")))
        for _ in range(steps):
            life.step()
    return life, programme


def go_on(world: World, life: Life, steps: int) -> None:
    """Some more of it."""
    with world.database.unit_of_work() as session:
        life.session = session
        for _ in range(steps):
            life.step()
