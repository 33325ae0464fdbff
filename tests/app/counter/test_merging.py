"""Two cards become one and are parted again: nothing is made, nothing is lost, and the old number is dead meanwhile."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards.models import Card, Programme
from app.counter import merging, moves, paying, returns, sales, takeover, timekeeping
from app.errors import AppError, Conflict, Unprocessable
from app.fraud.models import CardMerge
from app.ledger import held, holds, service, verify
from app.ledger.booking import Circumstance
from app.ledger.models import Account, Entry, Lot, Posting
from app.value.service import NewLoad, Payment
from app.world import World
from tests import factories
from tests.app.counter.shop import TILL, CornerShop
from tests.conftest import MovableClock


class Pair:
    """A shop whose customer has a second card."""

    def __init__(self, world: World, **top: Any) -> None:
        self.shop = CornerShop(world, **top)
        self.world = world
        with world.database.unit_of_work() as session:
            self.second = factories.card(session, self.shop.programme, name="Ayşe Y", now=world.clock())
        self.first = self.shop.card

    def earn(self, card: Card, points: int) -> Entry:
        sale = self.shop.sale(points * 1_000)
        return self.shop.do(lambda s: sales.earn(s, card, sale, by=TILL, now=self.world.clock())).entry

    def spend(self, card: Card, points: int) -> None:
        def work(session: Any) -> None:
            of = held.by_id(session, card.id)
            by = Circumstance(actor="t", channel="till", now=self.world.clock(), version=of.version + 1)
            booked = service.spend(session, of, points, by=by)
            moves.done(session, booked.card, booked, self.world.clock())

        self.shop.do(work)

    def take_back(self, entry: Entry) -> None:
        self.shop.take_back(entry)

    def merge(self, source: Card | None = None, target: Card | None = None) -> CardMerge:
        one, other = source or self.second, target or self.first
        return self.shop.do(
            lambda s: merging.merge(
                s,
                s.get_one(Card, one.id),
                s.get_one(Card, other.id),
                reason="same person",
                by=TILL,
                now=self.world.clock(),
            )
        )

    def part(self, made: CardMerge) -> CardMerge:
        return self.shop.do(
            lambda s: merging.unmerge(s, merging.named(s, made.public_id), by=TILL, now=self.world.clock())
        )

    def on(self, card: Card, unit: str = "points") -> tuple[int, int]:
        """What can be spent and what is owed, after checking the books."""
        with self.world.database.reading() as session:
            assert verify.differences(session) == []
            between = select(func.coalesce(func.sum(Posting.amount), 0)).join(Account)
            assert session.scalar(between.where(Account.role == "transfer")) == 0
            query = select(Account.role, Account.balance).where(
                Account.member_id == card.member_id, Account.unit == unit
            )
            found = {role: balance or 0 for role, balance in session.execute(query)}
            return found.get("avail", 0), -found.get("debt", 0)

    def row(self, card: Card) -> Card:
        with self.world.database.reading() as session:
            found = session.get_one(Card, card.id)
            found.tier  # noqa: B018  # read while there is a session
            return found


def lots_of(world: World, card: Card) -> list[tuple[int, Any]]:
    with world.database.reading() as session:
        query = (
            select(Lot.remaining, Lot.expires_at)
            .join(Account, Account.id == Lot.account_id)
            .where(Account.member_id == card.member_id, Lot.remaining > 0)
            .order_by(Lot.expires_at)
        )
        return [(remaining, expires) for remaining, expires in session.execute(query)]


def test_everything_moves_with_its_dates_and_the_old_card_is_void(any_world: World, clock: MovableClock) -> None:
    pair = Pair(any_world, expiry={"policy": "rolling", "days": 100})
    pair.earn(pair.second, 50)
    clock.advance(days=10)
    pair.earn(pair.second, 30)
    pair.earn(pair.first, 5)
    before = lots_of(any_world, pair.second) + lots_of(any_world, pair.first)

    pair.merge()

    assert (pair.on(pair.first), pair.on(pair.second)) == ((85, 0), (0, 0))
    assert sorted(lots_of(any_world, pair.first)) == sorted(before)
    assert (pair.row(pair.second).status, pair.row(pair.first).status) == ("voided", "active")
    with pytest.raises(Conflict, match="card_not_active"):
        pair.earn(pair.second, 1)


def test_parting_restores_exactly_what_was_there(any_world: World, clock: MovableClock) -> None:
    pair = Pair(any_world, expiry={"policy": "rolling", "days": 100})
    pair.earn(pair.second, 50)
    clock.advance(days=10)
    pair.earn(pair.second, 260)
    pair.earn(pair.first, 5)
    before = [lots_of(any_world, one) for one in (pair.first, pair.second)]
    figures = [(pair.row(one).tier_id, pair.row(one).qualifying_minor, pair.row(one).spent_minor)
               for one in (pair.first, pair.second)]  # fmt: skip
    assert figures[0][0] is None
    assert figures[1][0] is not None
    made = pair.merge()
    assert pair.row(pair.first).tier_id == figures[1][0]
    assert pair.row(pair.first).spent_minor == 315_000
    clock.advance(days=29)

    pair.part(made)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((5, 0), (310, 0))
    assert [lots_of(any_world, one) for one in (pair.first, pair.second)] == before
    after = [(pair.row(one).qualifying_minor, pair.row(one).spent_minor) for one in (pair.first, pair.second)]
    assert after == [one[1:] for one in figures]
    assert pair.row(pair.second).tier_id == figures[1][0]
    assert pair.row(pair.second).status == "active"
    with pytest.raises(Conflict, match="already_undone"):
        pair.part(made)


def test_what_was_spent_meanwhile_the_target_owes(any_world: World) -> None:
    pair = Pair(any_world)
    pair.earn(pair.second, 50)
    pair.earn(pair.first, 10)
    made = pair.merge()
    pair.spend(pair.first, 45)

    pair.part(made)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 35), (50, 0))


@pytest.mark.parametrize(("policy", "left"), [("clamp", (0, 0)), ("refuse", None)])
def test_rules_that_know_no_debt_write_it_off_or_refuse(any_world: World, policy: str, left: Any) -> None:
    pair = Pair(any_world, returns=policy)
    pair.earn(pair.second, 50)
    made = pair.merge()
    pair.spend(pair.first, 45)

    if left is None:
        with pytest.raises(Unprocessable, match="insufficient"):
            pair.part(made)
        assert pair.row(pair.second).status == "voided"
        return
    pair.part(made)

    assert (pair.on(pair.first), pair.on(pair.second)) == (left, (50, 0))


def test_what_has_expired_meanwhile_stays_expired(any_world: World, clock: MovableClock) -> None:
    pair = Pair(any_world, expiry={"policy": "rolling", "days": 15})
    pair.earn(pair.second, 50)
    clock.advance(days=10)
    pair.earn(pair.second, 30)
    made = pair.merge()
    clock.advance(days=7)
    timekeeping.expire_lots(any_world)
    assert pair.on(pair.first) == (30, 0)

    pair.part(made)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 0), (30, 0))


def test_a_debt_moves_and_is_filled_and_comes_back(any_world: World) -> None:
    pair = Pair(any_world)
    sale = pair.earn(pair.second, 50)
    pair.spend(pair.second, 40)
    pair.take_back(sale)
    pair.earn(pair.first, 25)
    assert pair.on(pair.second) == (0, 40)

    made = pair.merge()
    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 15), (0, 0))
    pair.earn(pair.first, 100)
    pair.part(made)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((125, 0), (0, 40))


def test_points_fill_what_the_other_card_owes(any_world: World) -> None:
    pair = Pair(any_world)
    sale = pair.earn(pair.first, 50)
    pair.spend(pair.first, 40)
    pair.take_back(sale)
    pair.earn(pair.second, 25)

    made = pair.merge()
    assert pair.on(pair.first) == (0, 15)
    pair.part(made)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 40), (25, 0))


def test_stored_value_moves_and_only_what_is_there_comes_back(any_world: World) -> None:
    pair = Pair(any_world)
    load = NewLoad(amount_minor=10_000, currency="TRY", reference="till 1")
    pair.shop.do(
        lambda s: paying.load(s, s.get_one(Card, pair.second.id), load, by=TILL, now=any_world.clock())
    )  # fmt: skip
    made = pair.merge()
    assert pair.on(pair.first, "TRY") == (10_000, 0)
    pay = Payment(amount_minor=4_000, currency="TRY")
    pair.shop.do(lambda s: paying.pay(s, s.get_one(Card, pair.first.id), pay, by=TILL, now=any_world.clock()))

    pair.part(made)

    assert (pair.on(pair.first, "TRY"), pair.on(pair.second, "TRY")) == ((0, 0), (6_000, 0))


def test_a_sale_of_the_old_card_that_comes_back_is_taken_from_the_new_one(any_world: World) -> None:
    pair = Pair(any_world)
    sale = pair.earn(pair.second, 250)
    pair.merge()
    assert pair.row(pair.first).tier_id is not None

    pair.take_back(sale)
    assert (takeover.follow(any_world), takeover.follow(any_world)) == (1, 0)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 0), (0, 0))
    assert pair.row(pair.first).qualifying_minor == 0


def test_parting_after_such_a_return_gives_no_points_twice(any_world: World) -> None:
    pair = Pair(any_world)
    sale, _kept = pair.earn(pair.second, 250), pair.earn(pair.second, 7)
    made = pair.merge()
    pair.take_back(sale)
    takeover.follow(any_world)

    pair.part(made)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 0), (7, 0))
    assert pair.row(pair.second).qualifying_minor == 7_000


def test_points_that_wait_follow_on_their_day(any_world: World, clock: MovableClock) -> None:
    pair = Pair(any_world, pending_days=14)
    pair.earn(pair.second, 50)
    made = pair.merge()
    assert (pair.on(pair.first), takeover.follow(any_world)) == ((0, 0), 0)
    clock.advance(days=14, minutes=1)
    timekeeping.activate_pending(any_world)

    takeover.follow(any_world)

    assert (pair.on(pair.first), pair.on(pair.second)) == ((50, 0), (0, 0))
    pair.part(made)
    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 0), (50, 0))


def test_something_reserved_is_settled_first(any_world: World) -> None:
    pair = Pair(any_world)
    pair.earn(pair.second, 50)

    def reserve(session: Any) -> None:
        of = held.by_id(session, pair.second.id)
        by = Circumstance(actor="t", channel="till", now=any_world.clock(), version=of.version + 1)
        placed = holds.place(session, of, 10, about="reward:x", by=by)
        moves.done(session, placed.booked.card, placed.booked, any_world.clock())

    pair.shop.do(reserve)

    with pytest.raises(Conflict, match="open_holds"):
        pair.merge()


def test_half_of_a_joining_is_not_undone_alone(any_world: World) -> None:
    pair = Pair(any_world)
    pair.earn(pair.second, 50)
    made = pair.merge()

    for entry_id in made.legs[0]:
        with pytest.raises(Conflict, match="not_reversible"):
            pair.shop.do(partial(returns.reverse, entry_id=entry_id, reason="x", by=TILL, now=any_world.clock()))

    assert (pair.on(pair.first), pair.on(pair.second)) == ((50, 0), (0, 0))


def test_after_thirty_days_it_stays(any_world: World, clock: MovableClock) -> None:
    pair = Pair(any_world)
    made = pair.merge()
    clock.advance(days=30, minutes=1)

    with pytest.raises(Conflict, match="too_late"):
        pair.part(made)


def test_cards_that_cannot_be_joined_are_refused(any_world: World) -> None:
    pair = Pair(any_world)
    with any_world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        stranger = factories.card(session, other, "Budi")

    for target, code in ((pair.second, "same_card"), (stranger, "wrong_programme")):
        with pytest.raises(Unprocessable, match=code):
            pair.merge(pair.second, target)
    pair.merge()
    with pytest.raises(Conflict, match="card_not_active"):
        pair.merge()


def test_a_chain_of_joinings_is_parted_from_its_end(any_world: World) -> None:
    pair = Pair(any_world)
    with any_world.database.unit_of_work() as session:
        third = factories.card(session, pair.shop.programme, name="Third", now=any_world.clock())
    pair.earn(pair.second, 50)
    first_made = pair.merge()
    second_made = pair.merge(pair.first, third)
    assert pair.on(third) == (50, 0)

    with pytest.raises(Conflict, match="card_not_active"):
        pair.part(first_made)
    pair.part(second_made)
    pair.part(first_made)

    assert (pair.on(third), pair.on(pair.first), pair.on(pair.second)) == ((0, 0), (0, 0), (50, 0))


def attempts(work: list[Callable[[], object]]) -> Counter[str]:
    def one(job: Callable[[], object]) -> str:
        try:
            job()
        except AppError as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(len(work)) as pool:
        return Counter(pool.map(one, work))


def test_two_who_join_crosswise_make_one_joining(any_world: World) -> None:
    pair = Pair(any_world)
    for _round in range(5):
        with any_world.database.unit_of_work() as session:
            programme = session.get_one(Programme, pair.shop.programme.id)
            one, other = (factories.card(session, programme, name=name, now=any_world.clock()) for name in "AB")
        pair.earn(one, 10)
        pair.earn(other, 20)

        outcomes = attempts([partial(pair.merge, one, other), partial(pair.merge, other, one)])

        assert outcomes == {"done": 1, "card_not_active": 1}
        assert sorted([pair.on(one), pair.on(other)]) == [(0, 0), (30, 0)]


def test_a_sale_on_the_old_card_is_booked_before_or_refused(any_world: World) -> None:
    pair = Pair(any_world)
    pair.earn(pair.second, 5)

    outcomes = attempts([pair.merge, *[lambda: pair.earn(pair.second, 1)] * 6])

    booked = outcomes["done"] - 1
    assert booked + outcomes["card_not_active"] == 6
    assert (pair.on(pair.first), pair.on(pair.second)) == ((5 + booked, 0), (0, 0))


def test_two_who_part_at_once_part_once(any_world: World) -> None:
    pair = Pair(any_world)
    pair.earn(pair.second, 50)
    made = pair.merge()

    outcomes = attempts([lambda: pair.part(made)] * 4)

    assert outcomes == {"done": 1, "already_undone": 3}
    assert (pair.on(pair.first), pair.on(pair.second)) == ((0, 0), (50, 0))


def test_a_payment_of_the_old_card_is_refunded_to_the_one_that_stayed(any_world: World) -> None:
    pair = Pair(any_world)
    load = NewLoad(amount_minor=10_000, currency="TRY", reference="till 1")
    pay = Payment(amount_minor=4_000, currency="TRY")

    def act(work: Any, *details: Any) -> Any:
        return pair.shop.do(
            lambda s: work(s, s.get_one(Card, pair.second.id), *details, by=TILL, now=any_world.clock())
        )

    act(paying.load, load)
    paid = act(paying.pay, pay)
    pair.merge()

    pair.shop.do(lambda s: paying.refund(s, paid.entry.id, None, by=TILL, now=any_world.clock()))

    assert (pair.on(pair.first, "TRY"), pair.on(pair.second, "TRY")) == ((10_000, 0), (0, 0))
