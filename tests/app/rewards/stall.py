"""A shop with members and rewards: each thing that is done is a transaction of its own, as a till does it."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import returns, rewarding, visiting
from app.counter.moves import Actor, Done
from app.counter.rewarding import Redeemed, Reserved
from app.errors import AppError
from app.ledger import held as holding
from app.ledger import service as ledger
from app.ledger import verify
from app.ledger.held import Held
from app.rewards import catalogue, service, slots
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward, Slot, Taking
from app.rewards.rules import Wish
from app.world import World
from tests import factories
from tests.conftest import MovableClock

T = TypeVar("T")
TILL = Actor(name="staff:stf_1", channel="till")
NAMES = itertools.count(1)


class Stall:
    """`now` is the shop's clock, which the world's follows."""

    def __init__(self, world: World, *, points: int = 0) -> None:
        self.world = world
        assert isinstance(world.clock, MovableClock)
        self.clock = world.clock
        with world.database.unit_of_work() as session:
            self.programme = factories.programme(session)
            self.store = factories.store(session, self.programme)
            self.card = factories.card(session, self.programme)
        if points:
            self.give(points)

    @property
    def now(self) -> datetime:
        return self.clock()

    def work(self, done: Callable[[Session], T]) -> T:
        return self.world.database.transact(done)

    def member(self, points: int = 0) -> Card:
        card = self.work(lambda s: factories.card(s, s.merge(self.programme), f"Guest {next(NAMES)}"))
        if points:
            self.give(points, card)
        return card

    def give(
        self, points: int, card: Card | None = None, *, unit: str = "points", expires_at: datetime | None = None
    ) -> None:
        def work(session: Session) -> None:
            held = holding.by_id(session, (card or self.card).id)
            told = self.told(held)
            booked = ledger.credit(session, held, points, by=told, unit=unit, expires_at=expires_at)
            rewarding.moves.done(session, booked.card, booked, self.now)

        self.work(work)

    def told(self, held: Held) -> Any:
        return rewarding.moves.circumstance(held, TILL, self.now)

    def offer(self, **over: Any) -> Reward:
        """A coffee for 100 points, unless it is said otherwise."""
        draft = RewardDraft(**{"name": "Coffee", "points": 100, **over})
        return self.work(lambda s: catalogue.add(s, s.merge(self.programme), draft, now=self.now))

    def redeem(self, reward: Reward, card: Card | None = None, **wish: Any) -> Redeemed:
        one = card or self.card
        at = {"by": TILL, "now": self.now, "store": self.store, "wish": Wish(**wish)}
        return self.work(
            lambda s: rewarding.redeem_reward(s, holding.by_id(s, one.id), fresh(s, reward), **at)  # type: ignore[arg-type]
        )

    def hold(self, reward: Reward, card: Card | None = None, *, life_s: int = 300, **wish: Any) -> Reserved:
        one = card or self.card
        at = {
            "by": TILL, "now": self.now, "store": self.store, "wish": Wish(**wish), "life": timedelta(seconds=life_s)
        }  # fmt: skip
        return self.work(
            lambda s: rewarding.hold_reward(s, holding.by_id(s, one.id), fresh(s, reward), **at)  # type: ignore[arg-type]
        )

    def hold_points(self, points: int, *, life_s: int = 300) -> Reserved:
        life = timedelta(seconds=life_s)
        return self.work(
            lambda s: rewarding.hold_points(s, holding.by_id(s, self.card.id), points, by=TILL, now=self.now, life=life)
        )

    def capture(self, held: Reserved, units: int | None = None) -> Reserved:
        return self.work(lambda s: rewarding.capture(s, held.hold.id, units, by=TILL, now=self.now))

    def void(self, held: Reserved) -> Reserved:
        return self.work(lambda s: rewarding.void(s, held.hold.id, by=TILL, now=self.now))

    def undo(self, done: Done) -> Done:
        return self.work(lambda s: returns.reverse(s, done.entry.id, reason="mistake", by=TILL, now=self.now))

    def slot(self, reward: Reward, *, capacity: int = 1, in_h: int = 48) -> Slot:
        starts = self.now + timedelta(hours=in_h)
        ends = starts + timedelta(hours=2)
        return self.work(
            lambda s: slots.add(s, fresh(s, reward), starts_at=starts, ends_at=ends, capacity=capacity, now=self.now)
        )

    def cancel(self, booked: Redeemed) -> Done:
        return self.work(lambda s: visiting.cancel(s, booked.taking.public_id, by=TILL, now=self.now))

    def collect(self, booked: Redeemed) -> Taking:
        return self.work(lambda s: visiting.collect(s, booked.taking.public_id, store=self.store, now=self.now))

    def has(self, card: Card | None = None, unit: str = "points", role: str = "avail") -> int:
        """What the card has, once the books were checked."""
        with self.world.database.unit_of_work() as session:
            assert verify.differences(session) == []
            return holding.by_id(session, (card or self.card).id).in_unit(unit, role)

    def row(self, one: Any) -> Any:
        """A row as it stands now."""
        with self.world.database.reading() as session:
            return session.get_one(type(one), one.id)

    def state(self, done: Redeemed | Reserved) -> str:
        assert done.taking is not None
        return str(self.row(done.taking).state)


def fresh(session: Session, reward: Reward) -> Reward:
    return service.by_public_id(session, reward.public_id)


def refusal(work: Callable[[], object]) -> AppError:
    """The refusal that some work ends with."""
    try:
        work()
    except AppError as problem:
        return problem
    raise AssertionError("this was not refused")


def outcome(work: Callable[[], object]) -> str:
    """ "done", or the code of the refusal."""
    try:
        work()
    except AppError as problem:
        return problem.code
    return "done"


def at_once(works: list[Callable[[], object]]) -> list[str]:
    """Outcomes of works that are done by threads of their own; who finds the database busy comes again."""

    def patient(work: Callable[[], object]) -> str:
        for _ in range(20):
            if (code := outcome(work)) != "busy":
                return code
        return "busy"

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(patient, works))
