"""Random histories of stamps, and what each must come to.

However a card got there: of all stamps that were not undone, those of used rewards are gone; the rest are full cards,
which are rewards, and what stands on the next one, or is owed.

python -m tests.app.stamps.histories --histories 300
"""

import argparse
import random
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session

from app.counter import moves, stamping
from app.counter.moves import Actor
from app.db import Database
from app.earning.sale import Basket, Line
from app.ledger import held as holding
from app.ledger import movements, verify
from app.ledger.held import Held
from app.ledger.models import Entry
from app.ledger.reversals import Returned
from app.migrations.run import migrate
from app.stamps import booking, service
from app.stamps.drafts import StampCardDraft
from app.vault import Vault
from tests import factories
from tests.app.ledger.books import broken
from tests.conftest import SECRET

TILL = Actor(name="staff:stf_1", channel="till")


@dataclass
class Visit:
    """Stamps that were given, and how many of them still count; `pieces` of a sale's line are not returned yet."""

    entry: Entry
    left: int
    pieces: int = 0


@dataclass
class History:
    session: Session
    dice: random.Random
    number: int
    visits: list[Visit] = field(default_factory=list)
    uses: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = factories.NOW
        self.size = self.dice.choice((2, 3, 5, 10))
        programme = factories.programme(self.session, slug=f"stamps-{self.number}", tiers=())
        self.card_id = factories.card(self.session, programme).id
        draft = StampCardDraft(
            programme=programme, name="Coffee", reward="Coffee", size=self.size, gives="piece", cool_down_min=0
        )
        self.stamp_card = service.create(self.session, draft, by="test", now=self.now)

    def step(self) -> None:
        kinds = (self.stamp, self.sell, self.use, self.undo, self.undo, self.undo_use)
        self.now += timedelta(minutes=1)
        self.dice.choice(kinds)()

    def stamp(self) -> None:
        count = self.dice.choice((1, 1, 2, 4, 25))
        done = stamping.stamp(self.session, self.card, self.stamp_card, count, by=TILL, now=self.now)
        self.visits.append(Visit(entry=done.entry, left=count))

    def sell(self) -> None:
        pieces, card = self.dice.randint(1, 6), self.card
        told = moves.circumstance(card, TILL, self.now)
        sale = movements.give(self.session, card, "points", 1, source="issue", by=told, kind="earn")
        basket = Basket(amount_minor=100, lines=(Line(number=1, quantity=pieces, amount_minor=100),))
        given = stamping.for_sale(self.session, sale.card, basket, by=told.part_of(sale.entry.id))[-1]
        moves.done(self.session, given.card, sale, self.now)
        self.visits.append(Visit(entry=given.entry, left=pieces, pieces=pieces))

    def use(self) -> None:
        if self.card.in_unit(self.stamp_card.voucher_unit):
            done = stamping.redeem_voucher(self.session, self.card, self.stamp_card, by=TILL, now=self.now)
            self.uses.append(done.entry)

    def undo(self) -> None:
        open_ = [visit for visit in self.visits if visit.left]
        if not open_:
            return
        visit = self.dice.choice(open_)
        back = self.dice.randint(1, visit.pieces) if visit.pieces else visit.left
        self._undo(visit.entry, Returned(pieces={1: back}) if visit.pieces else booking.WHOLE)
        visit.left -= back
        visit.pieces -= back if visit.pieces else 0

    def undo_use(self) -> None:
        if self.uses:
            self._undo(self.uses.pop(self.dice.randrange(len(self.uses))), booking.WHOLE)

    def faults(self) -> list[str]:
        """What is not as it must be."""
        worth = sum(visit.left for visit in self.visits) - self.size * len(self.uses)
        full, rest = divmod(worth, self.size) if worth >= 0 else (0, 0)
        expected = (rest, full, max(0, -worth))
        card = self.card
        found = (
            card.in_unit(self.stamp_card.unit),
            card.in_unit(self.stamp_card.voucher_unit),
            card.owed(self.stamp_card.unit),
        )
        return [] if found == expected else [f"stamps, rewards and debt are {found}, must be {expected}"]

    @property
    def card(self) -> Held:
        return holding.by_id(self.session, self.card_id)

    def _undo(self, entry: Entry, returned: Returned) -> None:
        card = self.card
        told = moves.circumstance(card, TILL, self.now)
        entry = self.session.get_one(Entry, entry.id)
        booked = booking.undo(self.session, card, entry, by=told, returned=returned)
        moves.done(self.session, booked.card, booked, self.now)


def run(database: Database, *, histories: int, steps: int, seed: int) -> list[str]:
    """Faults of so many histories, of the first that has any. Nothing is committed."""
    dice = random.Random(seed)  # a history can be repeated
    for number in range(histories):
        with Session(database.engine, expire_on_commit=False, info=dict(database.info)) as session:
            history = History(session=session, dice=dice, number=number)
            for step in range(steps):
                history.step()
                if faults := history.faults():
                    return [f"history {number}, step {step}: {fault}" for fault in faults]
            if faults := [*broken(session), *(str(one) for one in verify.differences(session))]:
                return [f"history {number}: {fault}" for fault in faults]
            session.rollback()
    return []


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/tessera.db", info={"vault": Vault(SECRET)})
        migrate(database)
        faults = run(database, histories=given.histories, steps=given.steps, seed=given.seed)
    print(*(faults or [f"{given.histories} histories of {given.steps} steps: nothing amiss"]), sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
