"""The same sale from several tills at once, on both databases: booked once, whoever wins."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.cards.models import Card, Programme, Store
from app.errors import AppError
from app.ledger import service as ledger
from app.staff.guards import identity_of
from app.staff.models import Staff
from app.till.desk import Desk
from app.till.models import OfflineSale
from app.till.offline import service
from app.till.offline.booking import Sender
from app.till.offline.forms import Kept
from app.till.offline.service import Arrival
from app.world import World
from tests import factories

TILLS = 6


class Tills:
    """Several tills of one store, with the same queue or different ones."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.database.unit_of_work() as session:
            self.programme: Programme = factories.programme(session)
            self.store: Store = factories.store(session, self.programme)
            self.card: Card = factories.card(session, self.programme)
            self.cashier: Staff = factories.staff(session, "cashier", store=self.store)
        who = identity_of(self.cashier)
        here = Desk(who=who, programme=self.programme, store=self.store)
        self.sender = Sender(who=who, places={self.store.public_id: here}, terminal="t")

    def kept(self, **over: object) -> Kept:
        return Kept.parse(
            {
                "id": str(uuid.uuid4()),
                "kind": "earn",
                "code": self.card.number,
                "amount": 10_000,
                "currency": "TRY",
                "at": (self.world.clock() - timedelta(hours=1)).isoformat(),
                "zone": "Europe/Istanbul",
                "cashier": self.cashier.public_id,
                "place": self.store.public_id,
                **over,
            }
        )

    def receive(self, kept: Kept) -> str:
        now = self.world.clock()
        arrival = Arrival(sender=self.sender, sent_at=now)
        transact = self.world.database.transact
        try:
            row, _ = transact(lambda session: service.receive(session, arrival, kept, now=now))
        except AppError as refusal:
            problem = refusal
            row, _ = transact(lambda session: service.keep_refused(session, arrival, kept, problem, now=now))
        return row.status

    def at_once(self, work: list[Callable[[], str]]) -> Counter[str]:
        found: Counter[str] = Counter()
        start = threading.Barrier(len(work))

        def run(one: Callable[[], str]) -> None:
            start.wait()
            found[one()] += 1

        threads = [threading.Thread(target=run, args=(one,)) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def balance(self) -> int:
        with self.world.database.reading() as session:
            return ledger.balance_of(session, self.card.member_id)


@pytest.fixture
def tills(any_world: World) -> Tills:
    return Tills(any_world)


def test_one_item_that_arrives_many_times_at_once_is_booked_once(tills: Tills) -> None:
    kept = tills.kept()

    answers = tills.at_once([lambda: tills.receive(kept)] * TILLS)

    assert answers == {"applied": TILLS}
    assert tills.balance() == 10
    with tills.world.database.reading() as session:
        assert len(list(session.scalars(select(OfflineSale)))) == 1


def test_one_receipt_from_many_tills_at_once_earns_once(tills: Tills) -> None:
    queue = [tills.kept(receipt="A-1") for _ in range(TILLS)]

    answers = tills.at_once([lambda one=one: tills.receive(one) for one in queue])  # type: ignore[misc]

    assert answers == {"applied": 1, "duplicate": TILLS - 1}
    assert tills.balance() == 10


def test_many_tills_with_one_card_lose_nothing(tills: Tills) -> None:
    queue = [tills.kept(receipt=f"A-{n}") for n in range(TILLS)]

    answers = tills.at_once([lambda one=one: tills.receive(one) for one in queue])  # type: ignore[misc]

    assert answers == {"applied": TILLS}
    assert tills.balance() == 10 * TILLS
