"""Stamps at the counter: rounds, rewards, and what undoing leaves, on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import returns, sales
from app.counter.pricing import Sale
from app.earning.sale import Line
from app.errors import Conflict, Forbidden, Unprocessable
from app.ledger.models import Account, Entry, Lot
from app.ledger.reversals import Returned
from app.stamps import service
from app.world import World
from tests.app.stamps.bench import TILL, Bench


def test_w16_eight_of_ten_and_four_more_are_one_reward_and_two_stamps(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)

    done = bench.stamp(4)

    assert (done.stamps, done.rewards, done.vouchers) == (2, 1, 1)
    assert bench.stands() == (2, 1, 0)


def test_w16_undoing_that_visit_voids_the_unused_reward_and_leaves_eight(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)
    visit = bench.stamp(4)

    bench.undo(visit.entry)

    assert bench.stands() == (8, 0, 0)
    assert bench.stamp(2).rewards == 1


def test_w16_undoing_that_visit_after_the_reward_was_used_leaves_stamps_owed(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)
    visit = bench.stamp(4)
    bench.use()

    bench.undo(visit.entry)

    assert bench.stands() == (0, 0, 2)
    assert bench.stamp(5).stamps == 3


def test_undoing_the_use_too_comes_to_the_eight_stamps_of_before(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)
    visit = bench.stamp(4)
    used = bench.use()
    bench.undo(visit.entry)

    bench.undo(used.entry)

    assert bench.stands() == (8, 0, 0)


def test_a_visit_is_undone_once(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)
    visit = bench.stamp(4)
    bench.undo(visit.entry)

    with pytest.raises(Conflict) as refused:
        bench.undo(visit.entry)

    assert refused.value.code == "already_reversed"
    assert bench.stands() == (8, 0, 0)


def test_twenty_five_stamps_at_once_fill_two_cards_of_ten(any_world: World) -> None:
    bench = Bench(any_world)

    done = bench.stamp(25)

    assert (done.rewards, bench.stands()) == (2, (5, 2, 0))


def test_with_one_of_two_rewards_used_undoing_voids_the_other(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(3)
    visit = bench.stamp(25)
    bench.use()

    bench.undo(visit.entry)

    assert bench.stands() == (0, 0, 7)


def test_an_earlier_visit_is_undone_without_touching_what_later_ones_reached(any_world: World) -> None:
    bench = Bench(any_world)
    first = bench.stamp(8)
    bench.stamp(9)

    bench.undo(first.entry)

    assert bench.stands() == (9, 0, 0)


def test_a_reward_that_stands_without_the_undone_visit_stays(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)
    visit = bench.stamp(4)
    bench.stamp(3)

    bench.undo(visit.entry)

    assert bench.stands() == (1, 1, 0)


def test_undoing_gives_the_stamps_back_to_their_own_lots(any_world: World) -> None:
    bench = Bench(any_world, stamps_live_days=30)
    bench.stamp(8)
    bench.now += timedelta(days=3)
    visit = bench.stamp(4)

    bench.undo(visit.entry)

    with any_world.database.reading() as session:
        query = select(Lot.remaining, Lot.expires_at).join(Account, Account.id == Lot.account_id)
        query = query.where(Account.unit == bench.stamp_card.unit, Lot.remaining > 0)
        lots = session.execute(query).all()
    assert lots == [(8, datetime(2026, 12, 20, 21, 0, tzinfo=UTC))]


def test_a_full_card_is_told_as_three_entries_of_one_visit(world: World) -> None:
    bench = Bench(world)
    bench.stamp(8)

    visit = bench.stamp(4)

    with world.database.reading() as session:
        full = session.scalars(select(Entry).where(Entry.part_of_id == visit.entry.id)).one()
        issued = session.scalars(select(Entry).where(Entry.part_of_id == full.id)).one()
    assert (full.kind, full.unit, full.points) == ("spend", bench.stamp_card.unit, -10)
    assert (issued.kind, issued.unit, issued.points) == ("earn", bench.stamp_card.voucher_unit, 1)


def test_what_a_full_card_booked_is_undone_with_its_visit_alone(world: World) -> None:
    bench = Bench(world)
    visit = bench.stamp(10)
    with world.database.reading() as session:
        full = session.scalars(select(Entry).where(Entry.part_of_id == visit.entry.id)).one()
        issued = session.scalars(select(Entry).where(Entry.part_of_id == full.id)).one()

    for entry in (full, issued):
        with pytest.raises(Conflict) as refused:
            bench.undo(entry)
        assert refused.value.code == "not_reversible"


@pytest.mark.parametrize("count", [0, -1, 501, 10**12])
def test_a_count_that_nobody_means_is_refused(world: World, count: int) -> None:
    with pytest.raises(Unprocessable) as refused:
        Bench(world).stamp(count, is_manager=True)

    assert refused.value.code == "invalid_count"


def test_more_than_fifty_stamps_at_once_need_a_manager(world: World) -> None:
    bench = Bench(world)
    bench.stamp(50)

    with pytest.raises(Forbidden) as refused:
        bench.stamp(51)

    assert refused.value.code == "needs_manager"
    assert bench.stamp(51, is_manager=True).rewards == 5


def test_stamps_within_ten_minutes_of_the_last_are_given_with_a_warning(world: World) -> None:
    bench = Bench(world)
    bench.stamp()
    bench.now += timedelta(minutes=9)

    soon = bench.stamp()
    bench.now += timedelta(minutes=10)
    late = bench.stamp()

    assert (soon.stamps, soon.warnings) == (2, ("Stamped 9 minutes ago already.",))
    assert (late.stamps, late.warnings) == (3, ())


def test_an_undone_stamp_warns_of_nothing(world: World) -> None:
    bench = Bench(world)
    bench.undo(bench.stamp().entry)

    assert bench.stamp().warnings == ()


def test_a_stamp_card_without_a_cool_down_never_warns(world: World) -> None:
    bench = Bench(world, cool_down_min=0)
    bench.stamp()

    assert bench.stamp().warnings == ()


def test_a_receipt_stamps_once_and_again_when_that_was_undone(any_world: World) -> None:
    bench = Bench(any_world)
    first = bench.stamp(receipt="R1")
    with pytest.raises(Conflict) as refused:
        bench.stamp(receipt="R1")

    bench.undo(first.entry)
    again = bench.stamp(2, receipt="R1")

    assert (refused.value.code, again.stamps) == ("duplicate_receipt", 2)


def test_a_reward_is_used_once_and_says_when_and_where(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(10)
    bench.use()

    with pytest.raises(Conflict) as refused:
        bench.use()

    assert refused.value.code == "already_used"
    assert refused.value.public == "Used on 2026-11-20 at 13:00, at Kadıköy."


def test_without_a_reward_there_is_nothing_to_use(world: World) -> None:
    bench = Bench(world)
    bench.stamp(7)

    with pytest.raises(Unprocessable) as refused:
        bench.use()

    assert refused.value.code == "insufficient"
    assert "7 of 10" in refused.value.public


def test_a_reward_dies_at_the_end_of_its_local_day_also_before_the_sweep(world: World) -> None:
    bench = Bench(world, vouchers_live_days=14)
    bench.stamp(20)
    bench.now = datetime(2026, 12, 4, 20, 59, tzinfo=UTC)  # 23:59 in Istanbul
    bench.use()
    bench.now += timedelta(minutes=1)

    with pytest.raises(Conflict) as refused:
        bench.use()

    assert refused.value.code == "ended"
    assert bench.stands() == (0, 1, 0)  # refused, so nothing was swept either


def test_stamps_that_have_expired_fill_no_card_also_before_the_sweep(world: World) -> None:
    bench = Bench(world, stamps_live_days=7)
    bench.stamp(9)
    bench.now += timedelta(days=8)

    done = bench.stamp(1)

    assert (done.stamps, done.rewards) == (1, 0)


def test_a_stamp_card_of_some_stores_is_refused_at_others(world: World) -> None:
    bench = Bench(world)
    with world.database.unit_of_work() as session:
        one = service.by_id(session, bench.stamp_card.public_id)
        one.stores = [bench.store.id + 1]

    with pytest.raises(Unprocessable) as refused:
        bench.stamp()

    assert refused.value.code == "wrong_store"


def test_before_its_start_and_after_its_end_a_stamp_card_gives_nothing(world: World) -> None:
    bench = Bench(world)
    with world.database.unit_of_work() as session:
        one = service.by_id(session, bench.stamp_card.public_id)
        one.starts_at, one.ends_at = bench.now + timedelta(days=1), bench.now + timedelta(days=2)

    codes = []
    for days in (0, 2):
        with pytest.raises(Conflict) as refused:
            bench.stamp(now=bench.now + timedelta(days=days))
        codes.append(refused.value.code)

    assert codes == ["not_started", "ended"]


def test_a_reward_of_an_ended_stamp_card_can_still_be_used(world: World) -> None:
    bench = Bench(world)
    bench.stamp(12)
    with world.database.unit_of_work() as session:
        service.end(session, service.by_id(session, bench.stamp_card.public_id), now=bench.now)

    assert bench.use().vouchers == 0


def test_a_voided_card_takes_no_stamps(world: World) -> None:
    bench = Bench(world)
    with world.database.unit_of_work() as session:
        session.get_one(Card, bench.card.id).status = "voided"

    with pytest.raises(Conflict) as refused:
        bench.stamp()

    assert refused.value.code == "card_not_active"


def test_pieces_on_a_sale_are_stamped_and_return_line_by_line(any_world: World) -> None:
    bench = Bench(any_world, gives="piece", item_kind="category", item="coffee", size=4)
    sale = [
        Line(number=1, product="latte", category="coffee", quantity=3, amount_minor=30_000),
        Line(number=2, product="cake", category="bakery", quantity=2, amount_minor=20_000),
        Line(number=3, product="mocha", category="coffee", quantity=2, amount_minor=24_000),
        Line(number=4, product="load", category="coffee", quantity=1, amount_minor=5_000, kind="gift_card"),
    ]

    _sale, stamps = bench.sell(*sale)
    given = bench.stands()
    bench.undo(stamps, Returned(pieces={2: 1}))
    after_cake = bench.stands()
    bench.undo(stamps, Returned(pieces={1: 2, 2: 1}))
    after_lattes = bench.stands()
    bench.undo(stamps)
    nothing_left = bench.undo(stamps)

    assert (given, after_cake, after_lattes) == ((1, 1, 0), (1, 1, 0), (3, 0, 0))
    assert bench.stands() == (0, 0, 0)
    assert nothing_left.id == stamps.id  # part of a sale: the sale itself says that it was undone


def test_an_amount_without_lines_is_stamped_and_comes_back_by_amount(any_world: World) -> None:
    bench = Bench(any_world, gives="amount", per="50.00")

    _sale, stamps = bench.sell(amount_minor=27_499)
    given = bench.stands()
    bench.undo(stamps, Returned(amount_minor=10_000))

    assert (given, bench.stands()) == ((5, 0, 0), (4, 0, 0))


def test_one_receipt_gives_its_stamps_by_hand_or_by_the_sale(world: World) -> None:
    bench = Bench(world, gives="piece")
    bench.stamp(2, receipt="R7")

    entries = bench.sell(Line(number=1, quantity=2, amount_minor=100), receipt="R7")

    assert len(entries) == 1
    assert bench.stands() == (2, 0, 0)


def test_a_sale_without_stamped_items_gives_none(world: World) -> None:
    bench = Bench(world, gives="piece", item_kind="product", item="latte")

    assert len(bench.sell(Line(number=1, product="tea", amount_minor=100))) == 1


def test_a_sale_through_the_till_stamps_and_its_return_takes_the_stamps_back(any_world: World) -> None:
    bench = Bench(any_world, gives="piece", item_kind="product", item="latte", size=5)
    lines = (
        Line(number=1, product="latte", quantity=4, amount_minor=40_000),
        Line(number=2, product="cake", quantity=1, amount_minor=10_000),
    )

    def stood(work: Callable[[Session], object]) -> tuple[int, int, int]:
        any_world.database.transact(work)
        return bench.stands()

    sale = Sale(amount_minor=50_000, currency="TRY", lines=lines, store=bench.store, receipt="R1")
    bench.stamp(3)
    sold = any_world.database.transact(lambda s: sales.earn(s, bench.card, sale, by=TILL, now=bench.now))
    after_sale = bench.stands()
    told: dict[str, Any] = {"reason": "came back", "by": TILL, "now": bench.now}
    two_back = stood(lambda s: returns.reverse(s, sold.entry.id, returned=Returned(pieces={1: 2, 2: 1}), **told))
    all_back = stood(lambda s: returns.reverse(s, sold.entry.id, **told))

    assert (after_sale, two_back, all_back) == ((2, 1, 0), (0, 1, 0), (3, 0, 0))


def test_a_tap_is_undone_at_the_till_as_every_movement_is(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)
    visit = bench.stamp(4)
    used = bench.use()

    for entry in (used.entry, visit.entry):
        any_world.database.transact(
            lambda s, entry=entry: returns.undo_at_till(
                s, entry.id, by=TILL, is_manager=False, store=bench.store, now=bench.now
            )
        )

    assert bench.stands() == (8, 0, 0)
