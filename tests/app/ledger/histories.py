"""Random histories of a card: everything that can move its units, in any order, with the invariants after each step.

python -m tests.app.ledger.histories --histories 10000 --steps 40 --database postgresql
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import moving
from app.db import Database
from app.errors import Conflict, Unprocessable
from app.ledger import expiry, held, holds, merges, reversals, service, verify
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.merges import Leg
from app.ledger.models import Entry, EntryLine, Hold
from app.ledger.reversals import OnDeficit, Returned
from app.ledger.service import Earning
from app.migrations.run import migrate
from app.outbox.service import Lane
from app.vault import Vault
from tests import factories
from tests.app.ledger.books import broken
from tests.chaos.servers import Postgres
from tests.conftest import SECRET

REVERSIBLE = ("earn", "spend", "capture", "adjust", "merge", "load", "pay")
UNITS = ("points", "points", "points", "voucher:a", "stamp:a")


class History:
    """One card's life, with a second card to merge from, in a transaction that is never committed."""

    def __init__(self, session: Session, dice: random.Random, steps: Callable[[], int]) -> None:
        self.session, self.dice, self.number = session, dice, steps
        self.now = factories.NOW
        programme = factories.programme(session, slug=f"history-{steps()}")
        self.joined: list[tuple[int, int, list[Leg]]] = []
        self.cards = [factories.card(session, programme, name=name) for name in ("Ayşe", "Budi")]

    def step(self) -> str:
        """Do one thing, or be refused; what it was."""
        name = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        card = self.cards[0] if self.dice.random() < 0.8 else self.cards[1]
        try:
            with self.session.begin_nested():
                getattr(self, name)(held.by_id(self.session, card.id))
        except (Conflict, Unprocessable) as refusal:
            return f"{name}: {refusal.code}"
        return name

    def earn(self, card: Held) -> None:
        lines = [
            (number, "sku", "food", quantity, quantity * 100, self.dice.randint(0, 12))
            for number, quantity in enumerate(self.dice.choices((1, 2, 3, 5), k=self.dice.randint(0, 3)), start=1)
        ]
        points = sum(line[-1] for line in lines) if lines else self.dice.randint(0, 120)
        expires = self.dice.choice((None, timedelta(days=3), timedelta(days=30)))
        waits = self.dice.choice((None, None, timedelta(days=2)))
        earning = Earning(
            points=points,
            amount_minor=sum(line[-2] for line in lines) or 1_000,
            currency="TRY",
            lines=lines,
            expires_at=self.now + expires if expires else None,
            pending_until=self.now + waits if waits else None,
        )
        self._write(service.earn(self.session, card, earning, by=self._by(card)))

    def spend(self, card: Held) -> None:
        unit = self.dice.choice(UNITS)
        self._write(service.spend(self.session, card, self.dice.randint(1, 90), by=self._by(card), unit=unit))

    def adjust(self, card: Held) -> None:
        days = self.dice.choice((None, 5))
        expires_at = self.now + timedelta(days=days) if days else None
        units, unit = self.dice.randint(1, 40), self.dice.choice(UNITS)
        self._write(service.credit(self.session, card, units, by=self._by(card), unit=unit, expires_at=expires_at))

    def load(self, card: Held) -> None:
        paid, by = self.dice.randint(1, 5_000), self._by(card)
        self._write(service.credit(self.session, card, paid, by=by, unit="TRY", kind="load", source="funding"))

    def pay(self, card: Held) -> None:
        minor, by = self.dice.randint(1, 4_000), self._by(card)
        facts = {"kind": "pay", "sink": "sales", "amount_minor": minor, "currency": "TRY"}
        self._write(service.spend(self.session, card, minor, by=by, unit="TRY", **facts))

    def take(self, card: Held) -> None:
        by = self._by(card)
        self._write(service.spend(self.session, card, self.dice.randint(1, 30), by=by, kind="adjust", sink="adjust"))

    def hold(self, card: Held) -> None:
        units, unit = self.dice.randint(1, 60), self.dice.choice(UNITS)
        reserved = holds.place(self.session, card, units, about="reward:x", by=self._by(card), unit=unit)
        self._write(reserved.booked)

    def capture(self, card: Held) -> None:
        if hold := self._some_hold(card):
            wanted = self.dice.choice((None, self.dice.randint(1, hold.amount + 2)))
            self._write(holds.capture(self.session, card, hold, wanted, by=self._by(card)))

    def void(self, card: Held) -> None:
        if hold := self._some_hold(card):
            self._write(holds.let_go(self.session, card, hold, state="voided", by=self._by(card)))

    def reverse(self, card: Held) -> None:
        query = select(Entry).where(Entry.card_id == card.id, Entry.kind.in_(REVERSIBLE)).order_by(Entry.seq)
        entries = self.session.scalars(query).all()
        if entries:
            entry = self.dice.choice(entries)
            policy = self.dice.choice(list(OnDeficit))
            self._write(
                reversals.reverse(
                    self.session, card, entry, by=self._by(card), returned=self._some_of(entry), on_deficit=policy
                )
            )

    def pass_time(self, card: Held) -> None:
        self.now += self.dice.choice((timedelta(minutes=2), timedelta(days=1), timedelta(days=12)))
        for hold in holds.overdue(self.session, now=self.now, limit=9):
            of = held.by_id(self.session, hold.card_id)
            self._write(holds.let_go(self.session, of, hold, state="expired", by=self._by(of)))
        for pending in expiry.due_pending(self.session, now=self.now, limit=9):
            of = held.by_id(self.session, pending.card_id)
            if (booked := expiry.activate(self.session, of, pending, by=self._by(of))) is not None:
                self._write(booked)
        for one in self.cards:
            of = held.by_id(self.session, one.id)
            self._write_last(expiry.expire(self.session, of, now=self.now, by=self._by(of)))

    def forgive(self, card: Held) -> None:
        self._write_last(expiry.forgive(self.session, card, by=self._by(card)))

    def merge(self, card: Held) -> None:
        other = self.cards[1] if card.id == self.cards[0].id else self.cards[0]
        target = held.by_id(self.session, other.id)
        done = merges.merge(self.session, card, target, by_source=self._by(card), by_target=self._by(target))
        self._write_last(done.left)
        self._write_last(done.arrived)
        legs = [Leg(left_id=one.entry.id, arrived_id=other.entry.id)
                for one, other in zip(done.left, done.arrived, strict=True)]  # fmt: skip
        self.joined.append((card.id, target.id, legs))

    def part(self, card: Held) -> None:
        if self.joined:
            joined = self.dice.choice(self.joined)
            source, target = (held.by_id(self.session, one) for one in joined[:2])
            policy = self.dice.choice(list(OnDeficit))
            done = merges.part(
                self.session, source, target, joined[2], by_source=self._by(source), by_target=self._by(target),
                on_deficit=policy,
            )  # fmt: skip
            self._write_last(done.left)
            if done.target.id == target.id and done.arrived:
                self._write(replace(done.arrived[-1], card=done.target))
            self.joined.remove(joined)

    def _by(self, card: Held) -> Circumstance:
        return Circumstance(actor="till", channel="till", now=self.now, version=card.version + 1)

    def _write(self, booked: Booked) -> None:
        card = booked.card
        moving.move_on(
            self.session, card_id=card.id, version=card.version + 1, modified_at=card.modified_at,
            qualifying_minor=0, spent_minor=0, tier_id=None, seq=card.seq, hash=card.hash, lane=Lane.URGENT,
            now=self.now,
        )  # fmt: skip

    def _write_last(self, booked: list[Booked]) -> None:
        if booked:
            self._write(booked[-1])

    def _some_hold(self, card: Held) -> Hold | None:
        found = self.session.scalars(select(Hold).where(Hold.card_id == card.id)).all()
        return self.dice.choice(found) if found else None

    def _some_of(self, entry: Entry) -> Returned:
        lines = self.session.scalars(select(EntryLine).where(EntryLine.entry_id == entry.id)).all()
        if lines and self.dice.random() < 0.8:
            line = self.dice.choice(lines)
            return Returned(pieces={line.line_no: self.dice.randint(1, line.quantity + 1)})
        if entry.amount_minor and self.dice.random() < 0.6:
            return Returned(amount_minor=self.dice.randint(1, entry.amount_minor))
        return Returned()


WEIGHTS = {
    "earn": 30, "spend": 18, "adjust": 6, "load": 3, "pay": 4, "take": 3, "hold": 10, "capture": 8, "void": 4,
    "reverse": 16, "pass_time": 10, "forgive": 1, "merge": 2, "part": 3,
}  # fmt: skip


def run(database: Database, histories: int, steps: int, seed: int) -> Iterator[list[str]]:
    """Live *histories*; each yields what it did. Raises AssertionError with the history where an invariant broke."""
    numbers = count(1)
    for number in range(histories):
        dice = random.Random(f"{seed} {number}")
        done: list[str] = []
        session = Session(database.engine, expire_on_commit=False, info=dict(database.info))
        try:
            history = History(session, dice, lambda: next(numbers))
            for _ in range(steps):
                done.append(history.step())
                wrong = broken(session)
                assert not wrong, f"history {number} of seed {seed}: {wrong} after {done}"
            wrong = verify.differences(session)
            assert not wrong, f"history {number} of seed {seed}: {wrong} after {done}"
        finally:
            session.rollback()
            session.close()
        yield done


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[Database]:
    with Postgres(folder) if kind == "postgresql" else nullcontext() as server:
        url = server.url if server else f"sqlite:///{folder}/histories.db"
        made = Database(url, info={"vault": Vault(SECRET)})
        migrate(made)
        yield made
        made.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.app.ledger.histories")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    did: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="tessera-histories-") as folder,
        _database(chosen.database, Path(folder)) as db,
    ):
        for number, done in enumerate(run(db, chosen.histories, chosen.steps, chosen.seed), start=1):
            did.update(done)
            if number % 500 == 0:
                print(f"{number:,} histories", flush=True)
    print(f"{chosen.histories:,} histories of {chosen.steps} steps on {chosen.database}: every invariant held")
    print(", ".join(f"{times:,} × {what}" for what, times in sorted(did.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
