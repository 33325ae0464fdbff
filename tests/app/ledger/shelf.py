"""A card whose units are moved by hand, each movement in a transaction of its own."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.cards import moving
from app.cards.models import Card
from app.ledger import expiry, held, holds, reversals, service, verify
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import POINTS, Held
from app.ledger.models import Account, Entry, Lot
from app.ledger.reversals import OnDeficit, Returned
from app.ledger.service import Earning
from app.outbox.service import Lane
from app.world import World
from tests import factories

ALL = Returned()


class Shelf:
    """`now` is the shop's clock; set it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = factories.NOW
        with world.database.unit_of_work() as session:
            self.card = factories.card(session, factories.programme(session, tiers=()))

    def earn(self, points: int, *, lines: Any = (), expires_at: datetime | None = None, **over: Any) -> Entry:
        earning = Earning(
            points=points, amount_minor=over.pop("amount_minor", 10_000), currency="TRY", lines=lines,
            expires_at=expires_at, **over,
        )  # fmt: skip
        return self._do(lambda session, card, by: service.earn(session, card, earning, by=by))

    def spend(self, points: int, **over: Any) -> Entry:
        return self._do(lambda session, card, by: service.spend(session, card, points, by=by, **over))

    def credit(self, units: int, **over: Any) -> Entry:
        return self._do(lambda session, card, by: service.credit(session, card, units, by=by, **over))

    def reverse(
        self, entry: Entry, returned: Returned = ALL, on_deficit: OnDeficit = OnDeficit.ALLOW_DEBT, **over: Any
    ) -> Entry:
        return self._do(
            lambda session, card, by: reversals.reverse(
                session, card, entry, by=by, returned=returned, on_deficit=on_deficit, **over
            )
        )

    def hold(self, points: int) -> str:
        placed: list[str] = []

        def place(session: Any, card: Held, by: Circumstance) -> Booked:
            reserved = holds.place(session, card, points, about="reward:x", by=by)
            placed.append(reserved.hold.id)
            return reserved.booked

        self._do(place)
        return placed[0]

    def capture(self, hold_id: str, points: int | None = None) -> Entry:
        return self._do(
            lambda session, card, by: holds.capture(session, card, holds.by_id(session, hold_id), points, by=by)
        )

    def void(self, hold_id: str) -> Entry:
        return self._do(
            lambda session, card, by: holds.let_go(session, card, holds.by_id(session, hold_id), state="voided", by=by)
        )

    def expire(self) -> int:
        """Sweep once; how many units expired."""
        gone: list[Entry] = []

        def sweep(session: Any, card: Held, by: Circumstance) -> Booked | None:
            done = expiry.expire(session, card, now=self.now, by=by)
            gone.extend(one.entry for one in done)
            return done[-1] if done else None

        self._do(sweep)
        return -sum(entry.points for entry in gone)

    def activate(self) -> int:
        """Let everything that is due be spent; how many sales it was."""
        done = 0
        with self.world.database.unit_of_work() as session:
            due = expiry.due_pending(session, now=self.now, limit=10)
        for pending in due:
            self._do(lambda session, card, by, pending=pending: expiry.activate(session, card, pending, by=by))
            done += 1
        return done

    def lots(self, unit: str = POINTS) -> list[tuple[int, datetime | None]]:
        """What can be spent until when, in the order in which it will be."""
        with self.world.database.reading() as session:
            query = (
                select(Lot.remaining, Lot.expires_at)
                .join(Account, Account.id == Lot.account_id)
                .where(Account.member_id == self.card.member_id, Account.unit == unit, Lot.remaining > 0)
                .order_by(Lot.expires_at.is_(None), Lot.expires_at, Lot.earned_at, Lot.id)
            )
            return [(remaining, at) for remaining, at in session.execute(query)]

    def on(self, role: str, unit: str = POINTS) -> int:
        """The balance of one of the member's accounts, after checking the books."""
        with self.world.database.reading() as session:
            assert verify.differences(session) == []
            query = select(Account.balance).where(
                Account.member_id == self.card.member_id, Account.role == role, Account.unit == unit
            )
            return session.scalar(query) or 0

    def _do(self, work: Callable[[Any, Held, Circumstance], Booked | None]) -> Any:
        with self.world.database.unit_of_work() as session:
            card = held.by_id(session, self.card.id)
            by = Circumstance(actor="till", channel="till", now=self.now, version=card.version + 1)
            booked = work(session, card, by)
            if booked is None:
                return None
            moving.move_on(
                session, card_id=card.id, version=card.version + 1, modified_at=card.modified_at, qualifying_minor=0,
                spent_minor=0,
                tier_id=None, seq=booked.card.seq, hash=booked.card.hash, lane=Lane.URGENT, now=self.now,
            )  # fmt: skip
            return booked.entry


def a_second_card(shelf: Shelf) -> Card:
    with shelf.world.database.unit_of_work() as session:
        return factories.card(session, session.get_one(Card, shelf.card.id).programme, name="Budi")
